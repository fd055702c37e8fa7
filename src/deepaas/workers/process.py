"""One worker process as the server sees it: a state, the calls it holds, and how it ended.

It must not know which call goes to which worker, nor what calls mean.
"""

import asyncio
import contextlib
import enum
import itertools
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from deepaas.errors import ModelUnavailable, WorkerInterrupted
from deepaas.log import with_trace
from deepaas.messages import (
    Chunk,
    Failed,
    Loading,
    Ready,
    Reply,
    Start,
    TakenBack,
    Together,
    Unframer,
    encode,
    frame,
)
from deepaas.spawn import end, exit_reason, spawn
from deepaas.spawned import kill_group
from deepaas.workers.marker import Marker
from deepaas.workers.pending import Pending

_LAST_WORDS_S = 1.0
_STOP_GRACE_S = 2.0
_SEEN_S = 0.001
_NO_PROCESS = "The model '{}' cannot be used: the system refuses to start a process for it ({})."
_STOPPED = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)
_log = logging.getLogger(__name__)


class State(enum.Enum):
    """The life of a worker, in order. Only one that is `READY` is sent calls."""

    STARTING = "starting"
    READY = "ready"
    LEAVING = "leaving"
    GONE = "gone"


class Worker(asyncio.Protocol):
    """A process that holds a warmed model.

    `held` are the calls in its pipe that it has not answered, by their number there and in that order.
    `head_since` is when the first of them came first. `is_stuck` says that some were taken back because the
    first takes long; it is over with the next reply. `on_reply` is called with a call and its reply,
    `on_return` with a call that the worker did not begin, `on_chunk` with the worker, the number of a call it
    holds, and a part of its result.
    """

    def __init__(
        self,
        start: Start,
        on_reply: Callable[[Pending, Reply], None],
        on_return: Callable[[Pending], None],
        on_chunk: Callable[["Worker", int, Chunk], None],
        on_output: Callable[[bytes], None] | None = None,
    ) -> None:
        self.state = State.STARTING
        self.held: dict[int, Pending] = {}
        self.head_since = 0.0
        self.is_stuck = False
        self.killed_for: str | None = None
        self.was_told_to_end = False
        self._is_loading = False
        self._start = start
        self._on_reply = on_reply
        self._on_return = on_return
        self._on_chunk = on_chunk
        self._on_output = on_output
        self._numbers = itertools.count(1)
        self._last_number = 0
        self._unframer = Unframer()
        self._loop = asyncio.get_running_loop()
        self._started: asyncio.Future[Ready | Failed] = self._loop.create_future()
        self._hung_up = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._reading: asyncio.Task[None] | None = None
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
        model's traceback is in the log then. `WorkerInterrupted` says that the model had no part in it.
        """
        assert self.state is State.STARTING
        try:
            await self._spawn()
        except OSError as error:
            await self.stop()
            raise ModelUnavailable(_NO_PROCESS.format(self._start.name, error)) from error
        exited = asyncio.create_task(self._exited())
        first: set[asyncio.Future[Any]] = {self._started, exited}
        try:
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        finally:
            exited.cancel()
        answer = self._started.result() if self._started.done() else None
        if isinstance(answer, Ready):
            self.state = State.READY
            return
        raise self._not_started(answer, await self.stop())

    def send(self, pending: Pending) -> None:
        """Send a call. The loop gathers what is sent in one of its turns, so that it leaves in one write."""
        assert self.state is State.READY
        if not self.held:
            self.head_since = self._loop.time()
            self._idle.clear()
        self._last_number = number = next(self._numbers)
        self.held[number] = pending
        if self._transport and not self._transport.is_closing():
            self._transport.write(frame(pending.content, number))

    def send_together(self, pendings: Sequence[Pending]) -> None:
        """Send calls that are to be run together."""
        if len(pendings) > 1 and self._transport:
            self._transport.write(frame(encode(Together(len(pendings)))))
        for pending in pendings:
            pending.together = len(pendings)
            self.send(pending)

    def running(self) -> Pending | None:
        """Return the call that the worker runs, or is about to."""
        if self._marker is None:
            return None
        return self.held.get(self._marker.begun) or next(iter(self.held.values()), None)

    async def take_back(self) -> list[Pending]:
        """Return the calls in the pipe that the worker has not begun; it will not begin them any more."""
        if self._marker is None or len(self.held) < 2:  # noqa: PLR2004 - one that runs, one behind it
            return []
        self.is_stuck = True
        self._marker.taken_back = self._last_number
        # A call that was begun before the worker could see this is marked as begun by then.
        await asyncio.sleep(_SEEN_S)
        if self._marker is None or self.state is State.GONE:
            return []
        begun = max(self._marker.begun, next(iter(self.held), 0))
        taken = [number for number in self.held if begun < number <= self._marker.taken_back]
        return [self.held.pop(number) for number in taken]

    async def wait(self) -> str:
        """Wait until the process has ended and everything it said has been read; return what became of it."""
        code = await self._exited()
        # What it still said is read, also where nobody was in a hurry.
        self.resume()
        self.state = State.GONE
        self._kill_group()
        # A process of the model's that left the group may keep the pipe open. There are two halves, since a
        # loop that stood still for longer looks at its clock before it reads what has come meanwhile.
        for _ in range(2):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_S / 2):
                    await self._hung_up.wait()
        reason = f"was killed ({self.killed_for})" if self.killed_for else exit_reason(code)
        if not self.was_told_to_end:
            _log.warning("A worker of %s %s", self._start.name, reason)
        return reason

    def pause(self) -> None:
        """Read nothing from the worker for now, which then waits with what it has to say."""
        if self._transport:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again what the worker says."""
        if self._transport:
            self._transport.resume_reading()

    def give_up(self, number: int) -> None:
        """Let the worker end a call whose result comes in chunks, as soon as it has sent the next one."""
        if self._marker:
            self._marker.given_up = number

    async def leave(self) -> None:
        """Answer what is held, then end."""
        if self.state is State.READY:
            self.state = State.LEAVING
        await self.idle()
        await self.stop()

    async def idle(self) -> None:
        """Wait until the worker holds no call."""
        await self._idle.wait()

    def is_running(self) -> bool:
        """Say whether the system lets the process run: one that was stopped answers nothing."""
        try:
            return self.pid is not None and psutil.Process(self.pid).status() not in _STOPPED
        except psutil.Error:
            return False

    def lost_calls(self) -> tuple[list[Pending], list[Pending]]:
        """Return, for a process that has ended, the calls it had begun, and those it had not.

        It had begun one at most, or some together, unless answers were lost in what else it wrote.
        """
        last = self._marker.begun if self._marker else 0
        begun = [pending for number, pending in self.held.items() if number <= last]
        not_begun = [pending for number, pending in self.held.items() if number > last]
        self.held.clear()
        self._idle.set()
        return begun, not_begun

    def kill(self, cause: str) -> None:
        """Kill the process and all it started; `cause` is for whoever asks why. What it said still counts."""
        self.killed_for = self.killed_for or cause
        self.state = State.GONE
        self._kill_group()

    async def stop(self) -> int:
        """End the process, and return how it ended. It may be called again, and meanwhile."""
        self.state = State.GONE
        if not (self._process and self._process.returncode is not None):
            self.was_told_to_end = True
        if self._transport:
            self._transport.close()
        code = 0
        if self._process:
            # What it still runs, nobody waits for any more.
            code = await end(self._process, 0 if self.held else _STOP_GRACE_S)
            if self._process.stdin:
                self._process.stdin.close()
        if self._reading:
            # A process of the model's that left the group may keep its output open.
            await asyncio.wait([self._reading], timeout=_LAST_WORDS_S)
            self._reading.cancel()
        return code

    def close(self) -> None:
        """Let go of the memory that was shared with the process; no call can be asked for any more."""
        if self._marker:
            self._marker.close()
            self._marker = None

    def data_received(self, data: bytes) -> None:
        """Read what the process sent."""
        try:
            messages = list(self._unframer.feed(data))
        except Exception:  # noqa: BLE001 - the model may have written anything
            _log.exception("A worker of %s wrote into a pipe that is not its own", self._start.name)
            self.kill("wrote into a pipe that is not its own")
            if self._transport:
                self._transport.abort()
            return
        for number, message in messages:
            if isinstance(message, Reply | TakenBack):
                self._take(number, message)
            elif isinstance(message, Chunk):
                if number in self.held:
                    self._on_chunk(self, number, message)
            elif isinstance(message, Loading):
                self._is_loading = True
            elif not self._started.done():
                self._started.set_result(message)

    def connection_lost(self, _: Exception | None) -> None:
        """Take a closed pipe for a dead process, and make sure that it is."""
        self._hung_up.set()
        if self.state in (State.READY, State.LEAVING):
            self._loop.call_later(_LAST_WORDS_S / 2, self._kill_if_alive)

    def _take(self, number: int, message: Reply | TakenBack) -> None:
        pending = self.held.pop(number, None)
        self.is_stuck = False
        if self.held:
            self.head_since = self._loop.time()
        else:
            self._idle.set()
        if pending is None:
            return
        if isinstance(message, Reply):
            self._on_reply(pending, message)
        else:
            self._on_return(pending)

    async def _spawn(self) -> None:
        with contextlib.ExitStack() as stack:
            ours, theirs = socket.socketpair()
            stack.enter_context(theirs)
            unwanted = stack.enter_context(contextlib.ExitStack())
            unwanted.callback(ours.close)
            self._marker, shared = Marker.create()
            stack.callback(os.close, shared)
            descriptors = (theirs.fileno(), shared)
            self._process = await spawn(
                "deepaas.workers.child",
                *map(str, descriptors),
                lifeline=True,
                descriptors=descriptors,
                output=asyncio.subprocess.PIPE if self._on_output else None,
            )
            unwanted.pop_all()
        if self._on_output:
            self._reading = asyncio.create_task(self._read_output(self._on_output))
        self._transport, _ = await self._loop.create_connection(lambda: self, sock=ours)
        self._transport.write(frame(encode(self._start)))

    def _not_started(self, answer: Failed | None, code: int) -> ModelUnavailable:
        """Return why the worker did not start: what it answered, or how it ended without an answer."""
        cannot = f"The model '{self._start.name}' cannot be used:"
        if answer:
            _log.error(
                "The model %r could not be started", self._start.name, extra=with_trace(answer.traceback)
            )
            return ModelUnavailable(f"{cannot} {answer.message}")
        interrupted = code in _FROM_OUTSIDE and not self._is_loading
        kind = WorkerInterrupted if interrupted else ModelUnavailable
        return kind(f"{cannot} its worker {exit_reason(code)} while starting.")

    def _kill_if_alive(self) -> None:
        """Kill a process that has closed its pipe without ending: it can answer nothing any more."""
        if self._process and self._process.returncode is None and self.state is not State.GONE:
            self.kill("closed its pipe to the server")

    def _kill_group(self) -> None:
        if self._process:
            kill_group(self._process.pid)

    async def _exited(self) -> int:
        assert self._process is not None
        return await self._process.wait()

    async def _read_output(self, on_output: Callable[[bytes], None]) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while chunk := await self._process.stdout.read(1 << 16):
            on_output(chunk)
