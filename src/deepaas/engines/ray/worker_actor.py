"""The Ray actor that holds a worker process.

It runs in the actor and must not import Ray. It does not know what calls mean.
"""

import asyncio
import contextlib
import os
import platform
import socket

from deepaas.engines.ray import file_transfer
from deepaas.engines.ray.wire import Reorderer, WorkerUpdate
from deepaas.messages import Message, decode, encode, encode_frame
from deepaas.scratch import ScratchRoot
from deepaas.workers.local_process import LocalWorkerProcess

_HIGH_WATER_BYTES = 1 << 18
_MAX_OUTPUT_BYTES = 1 << 20
_LONG_POLL_TIMEOUT_S = 2.0
_DISCONNECT_KILL_DELAY_S = 0.5
_MAX_PENDING_POLLS = 2
Frames = list[tuple[bytes, int]]


class WorkerActor:
    """Holds the process of one worker.

    `talk` is asked again and again: it tells the process what the server says, and returns what is new, or
    after some seconds that nothing is.
    """

    def __init__(self) -> None:
        self._frames = bytearray()
        self._output = bytearray()
        self._inbox: Reorderer[Frames] = Reorderer()
        self._update_event = asyncio.Event()
        self._next_number = 0
        self._poll_count = 0
        self._exit_code: int | None = None
        self._scratch_root = ScratchRoot()
        self._scratch_path = ""
        self._process: LocalWorkerProcess | None = None
        self._watch_task: asyncio.Task[None] | None = None

    async def get_node_info(self) -> tuple[str, str]:
        """Return the name of the node, and the version of the Python that runs here."""
        return socket.gethostname(), platform.python_version()

    async def start(self, start: bytes, folder: str) -> int:
        """Start the process, in the server's working directory if that is there; return its id."""
        with contextlib.suppress(OSError):
            os.chdir(folder)
        self._scratch_root.__enter__()
        self._scratch_path = str(self._scratch_root.path)
        self._process = LocalWorkerProcess(self._on_output, self._scratch_path, uses_busy_polling=False)
        await self._process.start(decode(start), self)
        self._watch_task = asyncio.create_task(self._watch_exit(self._process))
        assert self._process.pid is not None
        return self._process.pid

    async def exchange(self, number: int, frames: Frames) -> WorkerUpdate:
        """Send messages to the process; return what is new as soon as there is anything."""
        assert self._process is not None
        for messages in self._inbox.add(number, frames):
            for content, call in messages:
                self._process.send(content, call)
        # Two listeners are enough: one that has always been there, one that came with a message.
        self._poll_count = mine = self._poll_count + 1
        if not self._has_update():
            self._update_event.set()
            self._update_event.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LONG_POLL_TIMEOUT_S):
                    while not self._has_update() and self._poll_count - mine < _MAX_PENDING_POLLS:
                        await self._update_event.wait()
        return self._take_update()

    async def revoke_up_to(self, last: int) -> int | None:
        """Let no call up to `last` be begun any more; return the last that was."""
        return await self._process.revoke_up_to(last) if self._process else None

    async def cancel_stream(self, number: int) -> None:
        """Let the process end a call whose result comes in chunks."""
        if self._process:
            self._process.cancel_stream(number)

    async def kill(self) -> None:
        """Kill the process and all it started."""
        if self._process:
            self._process.kill()

    async def close_connection(self) -> None:
        """Read nothing from the process any more."""
        if self._process:
            self._process.close_connection()

    async def terminate(self, grace_s: float) -> int:
        """End the process; return its code. What it said before can still be heard."""
        code = (await self._process.terminate(grace_s)).code if self._process else 0
        if self._watch_task:
            await self._watch_task
        self._scratch_root.__exit__()
        return code or 0

    async def append_chunk(self, name: str, chunk: bytes) -> None:
        """Append a piece to a file of a call's; `name` is the call's folder and the file's name."""
        await asyncio.to_thread(file_transfer.append_chunk, f"{self._scratch_path}/{name}", chunk)

    async def read_chunk(self, path: str, offset: int) -> bytes:
        """Return a piece of a file that the process wrote; nothing at its end."""
        return await asyncio.to_thread(file_transfer.read_chunk, path, offset)

    async def delete_files(self, name: str) -> None:
        """Remove the files of a call."""
        await asyncio.to_thread(file_transfer.delete_folder, f"{self._scratch_path}/{name}")

    def on_message(self, number: int, message: Message) -> None:
        """Keep a message of the process's for the server; stop reading when the server takes too little."""
        self._frames += encode_frame(encode(message), number)
        if len(self._frames) > _HIGH_WATER_BYTES and self._process and self._exit_code is None:
            self._process.pause()
        self._update_event.set()

    def on_protocol_error(self) -> None:
        """Let the server find what cannot be understood."""
        self._frames += encode_frame(b"")
        self._update_event.set()

    def on_disconnect(self) -> None:
        """Kill a process that has closed its pipe without ending: it can answer nothing any more."""
        if self._process:
            asyncio.get_running_loop().call_later(_DISCONNECT_KILL_DELAY_S, self._process.kill)

    def _has_update(self) -> bool:
        return bool(self._frames or self._output or self._exit_code is not None)

    def _take_update(self) -> WorkerUpdate:
        assert self._process is not None
        said, printed = bytes(self._frames), bytes(self._output)
        self._frames.clear()
        self._output.clear()
        self._update_event.clear()
        self._process.resume()
        number, self._next_number = self._next_number, self._next_number + 1
        has_ended = self._exit_code is not None
        is_running = not has_ended and self._process.is_responsive()
        return WorkerUpdate(
            number, said, printed, is_running, self._process.last_started, has_ended, self._exit_code or 0
        )

    def _on_output(self, content: bytes) -> None:
        self._output += content
        del self._output[:-_MAX_OUTPUT_BYTES]
        self._update_event.set()

    async def _watch_exit(self, process: LocalWorkerProcess) -> None:
        code = (await process.wait()).code
        await process.drain_output()
        self._exit_code = code or 0
        self._update_event.set()
