"""A worker process on this machine, over a socket pair."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable

import psutil

from deepaas.child_setup import kill_process_group
from deepaas.messages import FrameDecoder, WorkerConfig, decode_plain, encode, encode_frame
from deepaas.processes import spawn_python, terminate_process
from deepaas.scratch import ScratchFolder
from deepaas.workers.busy_poll import BusyPoller
from deepaas.workers.process import ExitStatus, ProcessListener
from deepaas.workers.shared_progress import SharedProgress

_DRAIN_TIMEOUT_S = 1.0
_REVOKE_GRACE_S = 0.001
_CHUNK_BYTES = 1 << 16
_MAX_DRAIN_BYTES = 64 << 20  # more than systems are told to keep in a pipe, whoever still writes into it
_UNRESPONSIVE_STATUSES = (
    psutil.STATUS_STOPPED,
    psutil.STATUS_TRACING_STOP,
    psutil.STATUS_ZOMBIE,
    psutil.STATUS_DEAD,
)


class LocalWorkerProcess(asyncio.Protocol):
    """A process of this machine.

    `on_output` is called with what it prints, which else goes where this process's output goes.
    `scratch_folder` is where the process finds the files of calls when they are not where the calls say. With
    `uses_busy_polling`, this process does so for answers that come quickly.
    """

    def __init__(
        self,
        on_output: Callable[[bytes], None] | None = None,
        scratch_folder: str = "",
        *,
        uses_busy_polling: bool = True,
    ) -> None:
        self._on_output = on_output
        self._scratch_folder = scratch_folder
        self._unframer = FrameDecoder(decode_plain)
        self._disconnected = asyncio.Event()
        self._listener: ProcessListener | None = None
        self._output_task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._transport: asyncio.Transport | None = None
        self._pipe_dup: socket.socket | None = None
        self._busy_poller = BusyPoller() if uses_busy_polling else None
        self._progress: SharedProgress | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, once it has one."""
        return self._process.pid if self._process else None

    @property
    def has_exited(self) -> bool:
        """Say whether the process was started and has ended."""
        return self._process is not None and self._process.returncode is not None

    @property
    def last_started(self) -> int:
        """The number of the last call that was begun."""
        return self._progress.last_started if self._progress else 0

    async def start(self, config: WorkerConfig, listener: ProcessListener) -> None:
        """Start the process with its first message. Raise `OSError` when it cannot be."""
        self._listener = listener
        with contextlib.ExitStack() as stack:
            ours, theirs = socket.socketpair()
            stack.enter_context(theirs)
            unwanted = stack.enter_context(contextlib.ExitStack())
            unwanted.callback(ours.close)
            self._pipe_dup = unwanted.enter_context(ours.dup())
            self._progress, shared = SharedProgress.create()
            stack.callback(os.close, shared)
            descriptors = (theirs.fileno(), shared)
            self._process = await spawn_python(
                "deepaas.workers.child",
                *map(str, descriptors),
                self._scratch_folder,
                die_with_parent=True,
                descriptors=descriptors,
                output=asyncio.subprocess.PIPE if self._on_output else None,
            )
            unwanted.pop_all()
        if self._on_output:
            self._output_task = asyncio.create_task(self._read_output(self._on_output))
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_connection(lambda: self, sock=ours)
        self.send(encode(config))

    def send(self, content: bytes, number: int = 0, scratch: ScratchFolder | None = None) -> None:  # noqa: ARG002
        """Send a message. What is sent in one turn of the loop leaves in one write."""
        if self._transport and not self._transport.is_closing():
            self._transport.write(encode_frame(content, number))
            if number and self._busy_poller:
                self._busy_poller.record_sent(number)

    def pause(self) -> None:
        """Read nothing for now: the process waits with what it has to say."""
        if self._transport:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again what the process says."""
        if self._transport:
            self._transport.resume_reading()

    async def revoke_up_to(self, last: int) -> int | None:
        """Let no call up to `last` be begun any more; return the last that was, if there is a process."""
        if self._progress:
            self._progress.revoked_up_to = last
            # A call that was begun before the process could see this is marked as begun by then.
            await asyncio.sleep(_REVOKE_GRACE_S)
        return self._progress.last_started if self._progress else None

    def cancel_stream(self, number: int) -> None:
        """Let the process end a call whose result comes in chunks, as soon as it has sent the next one."""
        if self._progress:
            self._progress.cancelled_stream = number

    def is_responsive(self) -> bool:
        """Say whether the system lets the process run: one that was stopped answers nothing."""
        try:
            return self.pid is not None and psutil.Process(self.pid).status() not in _UNRESPONSIVE_STATUSES
        except psutil.Error:
            return False

    async def wait(self) -> ExitStatus:
        """Wait until the process has ended; return how."""
        assert self._process is not None
        return ExitStatus(await self._process.wait())

    async def drain_output(self) -> None:
        """Wait until all that an ended process has said is heard; what it started is killed."""
        # What it still said is read, also where nobody was in a hurry.
        self.resume()
        self.kill()
        # A process of the model's that left the group may keep the pipe open. There are two halves, since a
        # loop that stood still for longer looks at its clock before it reads what has come meanwhile.
        for _ in range(2):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_TIMEOUT_S / 2):
                    await self._disconnected.wait()

    def kill(self) -> None:
        """Kill the process and all it started."""
        if self._process:
            kill_process_group(self._process.pid)

    def close_connection(self) -> None:
        """Read nothing any more."""
        if self._transport:
            self._transport.abort()

    async def terminate(self, grace_s: float) -> ExitStatus:
        """Let the process end by itself for `grace_s` seconds, then kill it. It may be called again."""
        if self._transport:
            self._transport.close()
        code = 0
        if self._process:
            code = await terminate_process(self._process, grace_s)
            if self._process.stdin:
                self._process.stdin.close()
        if self._output_task:
            # A process of the model's that left the group may keep its output open.
            await asyncio.wait([self._output_task], timeout=_DRAIN_TIMEOUT_S)
            self._output_task.cancel()
        return ExitStatus(code)

    def close(self) -> None:
        """Let go of what was shared with the process."""
        if self._pipe_dup:
            self._pipe_dup.close()
        if self._progress:
            self._progress.close()
            self._progress = None

    def data_received(self, data: bytes) -> None:
        """Read what the process sent."""
        assert self._listener is not None
        try:
            messages = list(self._unframer.feed(data))
        except Exception:  # noqa: BLE001 - the model may have written anything
            self._listener.on_protocol_error()
            return
        if messages and self._busy_poller:
            self._busy_poller.record_received(messages[-1][0])
        for number, message in messages:
            self._listener.on_message(number, message)

    def connection_lost(self, error: Exception | None) -> None:
        """Take note that the pipe is closed."""
        assert self._listener is not None
        assert self._pipe_dup is not None
        with self._pipe_dup as pipe:
            # Where it could not be written to any more, the process's last answers may still be in it.
            rest = _drain_socket(pipe) if error else b""
        if rest:
            self.data_received(rest)
        self._disconnected.set()
        self._listener.on_disconnect()

    async def _read_output(self, on_output: Callable[[bytes], None]) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while chunk := await self._process.stdout.read(_CHUNK_BYTES):
            on_output(chunk)


def _drain_socket(pipe: socket.socket) -> bytes:
    """Return what can be read at once."""
    left = bytearray()
    with contextlib.suppress(OSError):
        while len(left) < _MAX_DRAIN_BYTES and (data := pipe.recv(_CHUNK_BYTES)):
            left += data
    return bytes(left)
