"""One worker process as the server sees it: a state, the calls it holds, and how it ended.

It must not know which call goes to which worker, nor what calls mean.
"""

import asyncio
import contextlib
import enum
import logging
import socket
from collections.abc import Callable
from typing import Any

import psutil

from deepaas.errors import ModelUnavailable
from deepaas.log import with_trace
from deepaas.messages import Body, Failed, Ready, Reply, Start, Unframer, encode, frame
from deepaas.spawn import end, exit_reason, spawn
from deepaas.spawned import kill_group
from deepaas.workers.marker import Marker

_LAST_WORDS_S = 1.0
_STOP_GRACE_S = 2.0
_STOPPED = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
_log = logging.getLogger(__name__)


class State(enum.Enum):
    """The life of a worker, in order."""

    STARTING = "starting"
    READY = "ready"
    GONE = "gone"


class Pending:
    """A call that waits for its outcome; `since` is when it came, in the loop's time."""

    __slots__ = ("frame", "id", "losses", "outcome", "since")

    def __init__(
        self, call_id: int, frame: bytes, outcome: asyncio.Future[Body | Failed], since: float
    ) -> None:
        self.id = call_id
        self.frame = frame
        self.outcome = outcome
        self.since = since
        self.losses = 0

    def fail(self, error: Exception) -> None:
        """End the call with an error, unless it has ended."""
        if not self.outcome.done():
            self.outcome.set_exception(error)


class Worker(asyncio.Protocol):
    """A process that holds a warmed model.

    `held` are the calls it was sent and has not answered, the one it runs first, which it does since
    `head_since`. `on_reply` is called with each of them and its reply.
    """

    def __init__(
        self,
        start: Start,
        on_reply: Callable[[Pending, Reply], None],
        on_output: Callable[[bytes], None] | None = None,
    ) -> None:
        self.state = State.STARTING
        self.held: dict[int, Pending] = {}
        self.head_since = 0.0
        self.killed_for: str | None = None
        self._start = start
        self._on_reply = on_reply
        self._on_output = on_output
        self._unframer = Unframer()
        self._outgoing: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._started: asyncio.Future[Ready | Failed] = self._loop.create_future()
        self._hung_up = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[Any]] = []
        self._process: asyncio.subprocess.Process | None = None
        self._transport: asyncio.Transport | None = None
        self._marker: Marker | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, once it has one."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process and wait until it is warm.

        Raise `ModelUnavailable`, with the cause, when the model fails or the process ends before that; the
        model's traceback is in the log then.
        """
        assert self.state is State.STARTING
        await self._spawn()
        exited = asyncio.create_task(self._exited())
        self._tasks.append(exited)
        first: set[asyncio.Future[Any]] = {self._started, exited}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        answer = self._started.result() if self._started.done() else None
        if isinstance(answer, Ready):
            self.state = State.READY
            return
        reason = exit_reason(await self.stop())
        if answer is None:
            raise ModelUnavailable(
                f"The model '{self._start.name}' cannot be used: its worker {reason} while starting."
            )
        trace = with_trace(answer.traceback)
        _log.error("The model %r could not be started", self._start.name, extra=trace)
        raise ModelUnavailable(f"The model '{self._start.name}' cannot be used: {answer.message}")

    def send(self, pending: Pending) -> None:
        """Send a call; calls sent in the same turn of the loop leave in one write."""
        assert self.state is State.READY
        if not self.held:
            self.head_since = self._loop.time()
            self._idle.clear()
        self.held[pending.id] = pending
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(pending.frame)

    async def wait(self) -> str:
        """Wait until the process has ended and everything it said has been read; return what became of it."""
        assert self._process is not None
        code = await self._exited()
        self.state = State.GONE
        kill_group(self._process.pid)
        # A process of the model's that left the group may keep the pipe open.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hung_up.wait(), _LAST_WORDS_S)
        return exit_reason(code)

    async def idle(self) -> None:
        """Wait until the worker holds no call."""
        await self._idle.wait()

    def is_running(self) -> bool:
        """Say whether the system lets the process run: one that was stopped answers nothing."""
        try:
            return self.pid is not None and psutil.Process(self.pid).status() not in _STOPPED
        except psutil.Error:
            return False

    def lost_calls(self) -> tuple[Pending | None, list[Pending]]:
        """Return, for a process that has ended, the call it was running, and those it had not begun."""
        assert self.state is State.GONE
        running = self.held.pop(self._marker.get(), None) if self._marker else None
        not_begun = list(self.held.values())
        self.held.clear()
        self._idle.set()
        return running, not_begun

    def kill(self, cause: str) -> None:
        """Kill the process and all it started; `cause` is for whoever asks why."""
        if self._process:
            self.killed_for = self.killed_for or cause
            kill_group(self._process.pid)

    async def stop(self) -> int:
        """End the process, and let go of all that belongs to it. It may be called again."""
        self.state = State.GONE
        if self._transport:
            self._transport.close()
        code = 0
        if self._process:
            # What it still runs, nobody waits for any more.
            code = await end(self._process, 0 if self.held else _STOP_GRACE_S)
            if self._process.stdin:
                self._process.stdin.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._marker:
            self._marker.close()
            self._marker = None
        return code

    def data_received(self, data: bytes) -> None:
        """Read what the process sent."""
        try:
            for call_id, message in self._unframer.feed(data):
                if isinstance(message, Reply):
                    self._take(call_id, message)
                elif not self._started.done():
                    self._started.set_result(message)
        except Exception:  # noqa: BLE001 - the model may have written anything
            _log.exception(
                "A worker of %s wrote into the pipe that is not its own; killing it", self._start.name
            )
            self.kill("garbage")

    def connection_lost(self, _: Exception | None) -> None:
        """Take a closed pipe for a dead process, and make sure that it is."""
        self._hung_up.set()
        if self.state is State.READY:
            self.kill("hung up")

    def _take(self, call_id: int, reply: Reply) -> None:
        pending = self.held.pop(call_id)
        if self.held:
            self.head_since = self._loop.time()
        else:
            self._idle.set()
        self._on_reply(pending, reply)

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        self._marker = Marker.create()
        with theirs:
            descriptors = (theirs.fileno(), self._marker.descriptor)
            self._process = await spawn(
                "deepaas.workers.child",
                *map(str, descriptors),
                lifeline=True,
                descriptors=descriptors,
                output=asyncio.subprocess.PIPE if self._on_output else None,
            )
        if self._on_output:
            self._tasks.append(asyncio.create_task(self._read_output(self._on_output)))
        self._transport, _ = await self._loop.create_connection(lambda: self, sock=ours)
        self._transport.write(frame(encode(self._start)))

    async def _exited(self) -> int:
        assert self._process is not None
        return await self._process.wait()

    async def _read_output(self, on_output: Callable[[bytes], None]) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while chunk := await self._process.stdout.read(1 << 16):
            on_output(chunk)

    def _flush(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()
