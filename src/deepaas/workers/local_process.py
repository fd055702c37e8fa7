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
_MAX_DRAIN_BYTES = 64 << 20  # more than a socket buffers; bounds reading while another process still writes
_UNRESPONSIVE_STATUSES = (
    psutil.STATUS_STOPPED,
    psutil.STATUS_TRACING_STOP,
    psutil.STATUS_ZOMBIE,
    psutil.STATUS_DEAD,
)


class LocalWorkerProcess(asyncio.Protocol):
    """A worker process on this machine.

    It runs `module`. `on_output` receives its standard output and error; without it, the process inherits
    ours. `scratch_folder` is the folder of the calls' files if they were copied from another machine. With
    `uses_busy_polling`, the event loop polls for quick replies.
    """

    def __init__(
        self,
        on_output: Callable[[bytes], None] | None = None,
        scratch_folder: str = "",
        *,
        module: str = "deepaas.workers.child",
        uses_busy_polling: bool = True,
    ) -> None:
        self._module = module
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
        """The process id, once the process was started."""
        return self._process.pid if self._process else None

    @property
    def has_exited(self) -> bool:
        """Whether the process was started and has exited."""
        return self._process is not None and self._process.returncode is not None

    @property
    def last_started(self) -> int:
        """The number of the last started call, or 0."""
        return self._progress.last_started if self._progress else 0

    async def start(self, config: WorkerConfig, listener: ProcessListener) -> None:
        """Start the process and send its configuration. Raise `OSError` when it cannot be spawned."""
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
                self._module,
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
        """Send an encoded message; the transport buffers it. Without a connection, it is dropped."""
        if self._transport and not self._transport.is_closing():
            self._transport.write(encode_frame(content, number))
            if number and self._busy_poller:
                self._busy_poller.record_sent(number)

    def pause(self) -> None:
        """Stop reading; the process blocks once the pipe is full."""
        if self._transport:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Continue reading."""
        if self._transport:
            self._transport.resume_reading()

    async def revoke_up_to(self, last: int) -> int | None:
        """Revoke all unstarted calls up to `last`; return the number of the last started call.

        Return `None` without a process.
        """
        if self._progress:
            self._progress.revoked_up_to = last
            # A call that started before the process could see the revocation is marked as started by then.
            await asyncio.sleep(_REVOKE_GRACE_S)
        return self._progress.last_started if self._progress else None

    def cancel_stream(self, number: int) -> None:
        """Make the process end a streaming call after its next chunk."""
        if self._progress:
            self._progress.cancelled_stream = number

    def is_responsive(self) -> bool:
        """Return whether the process can run: not stopped, traced, zombie or gone."""
        try:
            return self.pid is not None and psutil.Process(self.pid).status() not in _UNRESPONSIVE_STATUSES
        except psutil.Error:
            return False

    async def wait(self) -> ExitStatus:
        """Wait until the process has exited; return its exit status."""
        assert self._process is not None
        return ExitStatus(await self._process.wait())

    async def drain_output(self) -> None:
        """Read the remaining messages of an exited process, for at most 1 s; kill its children."""
        # A slow stream reader may have paused reading.
        self.resume()
        self.kill()
        # A child that left the process group may keep the pipe open, hence the timeout. It is split in two,
        # because a blocked event loop handles an expired timeout before it reads the data that has arrived.
        for _ in range(2):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_TIMEOUT_S / 2):
                    await self._disconnected.wait()

    def kill(self) -> None:
        """Kill the process and its children."""
        if self._process:
            kill_process_group(self._process.pid)

    def close_connection(self) -> None:
        """Close the connection at once and stop reading."""
        if self._transport:
            self._transport.abort()

    async def terminate(self, grace_s: float) -> ExitStatus:
        """Close the connection, wait `grace_s` seconds for the exit, then kill the process. Idempotent."""
        if self._transport:
            self._transport.close()
        code = 0
        if self._process:
            code = await terminate_process(self._process, grace_s)
            if self._process.stdin:
                self._process.stdin.close()
        if self._output_task:
            # A child that left the process group may keep the output open.
            await asyncio.wait([self._output_task], timeout=_DRAIN_TIMEOUT_S)
            self._output_task.cancel()
        return ExitStatus(code)

    def close(self) -> None:
        """Release the resources shared with the process."""
        if self._pipe_dup:
            self._pipe_dup.close()
        if self._progress:
            self._progress.close()
            self._progress = None

    def data_received(self, data: bytes) -> None:
        """Decode received bytes and pass the messages to the listener."""
        assert self._listener is not None
        try:
            messages = list(self._unframer.feed(data))
        except Exception:  # noqa: BLE001 - user code may have written anything into the pipe
            self._listener.on_protocol_error()
            return
        if messages and self._busy_poller:
            self._busy_poller.record_received(messages[-1][0])
        for number, message in messages:
            self._listener.on_message(number, message)

    def connection_lost(self, error: Exception | None) -> None:
        """Handle the closed pipe; after a failed write, read the replies that it still holds."""
        assert self._listener is not None
        assert self._pipe_dup is not None
        with self._pipe_dup as pipe:
            # After a failed write, asyncio drops the unread data: the process's last replies.
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
    """Read the available data without blocking."""
    left = bytearray()
    with contextlib.suppress(OSError):
        while len(left) < _MAX_DRAIN_BYTES and (data := pipe.recv(_CHUNK_BYTES)):
            left += data
    return bytes(left)
