"""The Ray actor that holds a worker process. This module must not import Ray."""

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
    """Runs one worker process on a node, and relays messages between it and the server.

    The server calls `exchange` continuously, as a long poll: it sends messages to the process and returns new
    ones, or an empty update after 2 s.
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
        """Return the node's host name and Python version."""
        return socket.gethostname(), platform.python_version()

    async def start(self, start: bytes, folder: str) -> int:
        """Start the process and return its id.

        It runs in `folder`, the server's working directory, if that exists on this node.
        """
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
        """Send messages to the process; return an update as soon as there is one, or after 2 s."""
        assert self._process is not None
        for messages in self._inbox.add(number, frames):
            for content, call in messages:
                self._process.send(content, call)
        # Keep at most two long polls: the standing one, and the one that carried the latest messages.
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
        """Revoke all unstarted calls up to `last`; return the number of the last started call."""
        return await self._process.revoke_up_to(last) if self._process else None

    async def cancel_stream(self, number: int) -> None:
        """Make the process end a streaming call after its next chunk."""
        if self._process:
            self._process.cancel_stream(number)

    async def kill(self) -> None:
        """Kill the process and its children."""
        if self._process:
            self._process.kill()

    async def close_connection(self) -> None:
        """Close the connection to the process at once."""
        if self._process:
            self._process.close_connection()

    async def terminate(self, grace_s: float) -> int:
        """Terminate the process and return its exit code; its last messages can still be polled."""
        code = (await self._process.terminate(grace_s)).code if self._process else 0
        if self._watch_task:
            await self._watch_task
        self._scratch_root.__exit__()
        return code or 0

    async def append_chunk(self, name: str, chunk: bytes) -> None:
        """Append a chunk to a call's file; `name` is its path below the scratch folder."""
        await asyncio.to_thread(file_transfer.append_chunk, f"{self._scratch_path}/{name}", chunk)

    async def read_chunk(self, path: str, offset: int) -> bytes:
        """Return a chunk of a file that the process wrote; empty at its end."""
        return await asyncio.to_thread(file_transfer.read_chunk, path, offset)

    async def delete_files(self, name: str) -> None:
        """Delete the files of a call."""
        await asyncio.to_thread(file_transfer.delete_folder, f"{self._scratch_path}/{name}")

    def on_message(self, number: int, message: Message) -> None:
        """Buffer a message for the server; pause the process while the server polls too slowly."""
        self._frames += encode_frame(encode(message), number)
        if len(self._frames) > _HIGH_WATER_BYTES and self._process and self._exit_code is None:
            self._process.pause()
        self._update_event.set()

    def on_protocol_error(self) -> None:
        """Send an empty frame, which the server cannot decode, so that it handles the protocol error."""
        self._frames += encode_frame(b"")
        self._update_event.set()

    def on_disconnect(self) -> None:
        """Kill the process shortly after its pipe has closed, since it cannot reply any more."""
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
