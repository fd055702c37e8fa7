"""A worker's process on this machine, at the other end of a pipe. It must not know what is said."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable

import psutil

from deepaas.files import Scratch
from deepaas.messages import Start, Unframer, decode_plain, encode, frame
from deepaas.spawn import end, spawn
from deepaas.spawned import kill_group
from deepaas.workers.awake import Awake
from deepaas.workers.marker import Marker
from deepaas.workers.process import Exit, Listener

_LAST_WORDS_S = 1.0
_SEEN_S = 0.001
_CHUNK_BYTES = 1 << 16
_MOST_LEFT_BYTES = 64 << 20  # more than systems are told to keep in a pipe, whoever still writes into it
_STOPPED = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


class LocalProcess(asyncio.Protocol):
    """A process of this machine.

    `on_output` is called with what it prints, which else goes where this process's output goes. `folder` is
    where the process finds the files of calls when they are not where the calls say. With `stays_awake`, this
    process does so for answers that come quickly.
    """

    def __init__(
        self,
        on_output: Callable[[bytes], None] | None = None,
        folder: str = "",
        *,
        stays_awake: bool = True,
    ) -> None:
        self._on_output = on_output
        self._folder = folder
        self._unframer = Unframer(decode_plain)
        self._hung_up = asyncio.Event()
        self._listener: Listener | None = None
        self._reading: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._transport: asyncio.Transport | None = None
        self._same_pipe: socket.socket | None = None
        self._awake = Awake() if stays_awake else None
        self._marker: Marker | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, once it has one."""
        return self._process.pid if self._process else None

    @property
    def has_ended(self) -> bool:
        """Say whether the process was started and has ended."""
        return self._process is not None and self._process.returncode is not None

    @property
    def begun(self) -> int:
        """The number of the last call that was begun."""
        return self._marker.begun if self._marker else 0

    async def start(self, start: Start, listener: Listener) -> None:
        """Start the process with its first message. Raise `OSError` when it cannot be."""
        self._listener = listener
        with contextlib.ExitStack() as stack:
            ours, theirs = socket.socketpair()
            stack.enter_context(theirs)
            unwanted = stack.enter_context(contextlib.ExitStack())
            unwanted.callback(ours.close)
            self._same_pipe = unwanted.enter_context(ours.dup())
            self._marker, shared = Marker.create()
            stack.callback(os.close, shared)
            descriptors = (theirs.fileno(), shared)
            self._process = await spawn(
                "deepaas.workers.child",
                *map(str, descriptors),
                self._folder,
                lifeline=True,
                descriptors=descriptors,
                output=asyncio.subprocess.PIPE if self._on_output else None,
            )
            unwanted.pop_all()
        if self._on_output:
            self._reading = asyncio.create_task(self._read_output(self._on_output))
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_connection(lambda: self, sock=ours)
        self.send(encode(start))

    def send(self, content: bytes, number: int = 0, scratch: Scratch | None = None) -> None:  # noqa: ARG002
        """Send a message. What is sent in one turn of the loop leaves in one write."""
        if self._transport and not self._transport.is_closing():
            self._transport.write(frame(content, number))
            if number and self._awake:
                self._awake.note_sent(number)

    def pause(self) -> None:
        """Read nothing for now: the process waits with what it has to say."""
        if self._transport:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again what the process says."""
        if self._transport:
            self._transport.resume_reading()

    async def take_back(self, last: int) -> int | None:
        """Let no call up to `last` be begun any more; return the last that was, if there is a process."""
        if self._marker:
            self._marker.taken_back = last
            # A call that was begun before the process could see this is marked as begun by then.
            await asyncio.sleep(_SEEN_S)
        return self._marker.begun if self._marker else None

    def give_up(self, number: int) -> None:
        """Let the process end a call whose result comes in chunks, as soon as it has sent the next one."""
        if self._marker:
            self._marker.given_up = number

    def is_running(self) -> bool:
        """Say whether the system lets the process run: one that was stopped answers nothing."""
        try:
            return self.pid is not None and psutil.Process(self.pid).status() not in _STOPPED
        except psutil.Error:
            return False

    async def exited(self) -> Exit:
        """Wait until the process has ended; return how."""
        assert self._process is not None
        return Exit(await self._process.wait())

    async def last_words(self) -> None:
        """Wait until all that an ended process has said is heard; what it started is killed."""
        # What it still said is read, also where nobody was in a hurry.
        self.resume()
        self.kill()
        # A process of the model's that left the group may keep the pipe open. There are two halves, since a
        # loop that stood still for longer looks at its clock before it reads what has come meanwhile.
        for _ in range(2):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_S / 2):
                    await self._hung_up.wait()

    def kill(self) -> None:
        """Kill the process and all it started."""
        if self._process:
            kill_group(self._process.pid)

    def hang_up(self) -> None:
        """Read nothing any more."""
        if self._transport:
            self._transport.abort()

    async def end(self, grace_s: float) -> Exit:
        """Let the process end by itself for `grace_s` seconds, then kill it. It may be called again."""
        if self._transport:
            self._transport.close()
        code = 0
        if self._process:
            code = await end(self._process, grace_s)
            if self._process.stdin:
                self._process.stdin.close()
        if self._reading:
            # A process of the model's that left the group may keep its output open.
            await asyncio.wait([self._reading], timeout=_LAST_WORDS_S)
            self._reading.cancel()
        return Exit(code)

    def close(self) -> None:
        """Let go of what was shared with the process."""
        if self._same_pipe:
            self._same_pipe.close()
        if self._marker:
            self._marker.close()
            self._marker = None

    def data_received(self, data: bytes) -> None:
        """Read what the process sent."""
        assert self._listener is not None
        try:
            messages = list(self._unframer.feed(data))
        except Exception:  # noqa: BLE001 - the model may have written anything
            self._listener.hear_garbage()
            return
        if messages and self._awake:
            self._awake.note_heard(messages[-1][0])
        for number, message in messages:
            self._listener.hear(number, message)

    def connection_lost(self, error: Exception | None) -> None:
        """Take note that the pipe is closed."""
        assert self._listener is not None
        assert self._same_pipe is not None
        with self._same_pipe as pipe:
            # Where it could not be written to any more, the process's last answers may still be in it.
            rest = _left_in(pipe) if error else b""
        if rest:
            self.data_received(rest)
        self._hung_up.set()
        self._listener.hear_end()

    async def _read_output(self, on_output: Callable[[bytes], None]) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while chunk := await self._process.stdout.read(_CHUNK_BYTES):
            on_output(chunk)


def _left_in(pipe: socket.socket) -> bytes:
    """Return what can be read at once."""
    left = bytearray()
    with contextlib.suppress(OSError):
        while len(left) < _MOST_LEFT_BYTES and (data := pipe.recv(_CHUNK_BYTES)):
            left += data
    return bytes(left)
