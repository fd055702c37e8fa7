"""One worker as the server sees it: a state, the calls it holds, and how it ended.

It must not know which call goes to which worker, what calls mean, nor where its process runs.
"""

import asyncio
import enum
import itertools
import signal
from collections.abc import Callable, Sequence
from typing import Any

from deepaas.errors import ModelUnavailable, WorkerInterrupted
from deepaas.log import get_logger, with_trace
from deepaas.messages import Chunk, Failed, Loading, Ready, Reply, Start, TakenBack, Together, encode
from deepaas.spawn import exit_reason
from deepaas.workers.pending import Pending
from deepaas.workers.process import Exit, Process

_HUNG_UP_S = 0.5
_STOP_GRACE_S = 2.0
_NO_PROCESS = "The model '{}' cannot be used: the system refuses to start a process for it ({})."
_TOO_SLOW = "The model '{}' cannot be used: its worker was not ready after {:g} s (--start-timeout)."
_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM, None)
_log = get_logger(__name__)


class State(enum.Enum):
    """The life of a worker, in order. Only one that is `READY` is sent calls."""

    STARTING = "starting"
    READY = "ready"
    LEAVING = "leaving"
    GONE = "gone"


class Worker:
    """A process that holds a warmed model.

    `held` are the calls in its pipe that it has not answered, by their number there and in that order.
    `head_since` is when the first of them came first. `is_stuck` says that some were taken back because the
    first takes long; it is over with the next reply. `on_reply` is called with a call and its reply,
    `on_return` with a call that the worker did not begin, `on_chunk` with the worker, the number of a call it
    holds, and a part of its result. Its process may take `start_limit_s` seconds to be warm, 0 for any time.
    """

    def __init__(
        self,
        start: Start,
        process: Process,
        on_reply: Callable[[Pending, Reply], None],
        on_return: Callable[[Pending], None],
        on_chunk: Callable[["Worker", int, Chunk], None],
        *,
        start_limit_s: float = 0.0,
    ) -> None:
        self.state = State.STARTING
        self.held: dict[int, Pending] = {}
        self.head_since = 0.0
        self.is_stuck = False
        self.killed_for: str | None = None
        self.was_told_to_end = False
        self._is_loading = False
        self._start = start
        self._process = process
        self._on_reply = on_reply
        self._on_return = on_return
        self._on_chunk = on_chunk
        self._start_limit_s = start_limit_s
        self._numbers = itertools.count(1)
        self._last_number = 0
        self._loop = asyncio.get_running_loop()
        self._started: asyncio.Future[Ready | Failed] = self._loop.create_future()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def pid(self) -> int | None:
        """The process's id, once it has one."""
        return self._process.pid

    async def start(self) -> None:
        """Start the process and wait until it is warm.

        Raise `ModelUnavailable`, with the cause, when the model fails, takes too long, or the process ends
        before that; a failed model's traceback is in the log then. `WorkerInterrupted` says that the model
        had no part in it.
        """
        assert self.state is State.STARTING
        try:
            await self._process.start(self._start, self)
        except OSError as error:
            await self.stop()
            raise ModelUnavailable(_NO_PROCESS.format(self._start.name, error)) from error
        exited = asyncio.create_task(self._process.exited())
        first: set[asyncio.Future[Any]] = {self._started, exited}
        try:
            limit_s = self._start_limit_s or None
            done, _ = await asyncio.wait(first, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            exited.cancel()
        answer = self._started.result() if self._started.done() else None
        if isinstance(answer, Ready):
            self.state = State.READY
            return
        if not done:
            self.kill("timeout")
            raise ModelUnavailable(_TOO_SLOW.format(self._start.name, self._start_limit_s))
        raise self._not_started(answer, await self.stop())

    def send(self, pending: Pending) -> None:
        """Send a call."""
        assert self.state is State.READY
        if not self.held:
            self.head_since = self._loop.time()
            self._idle.clear()
        self._last_number = number = next(self._numbers)
        self.held[number] = pending
        self._process.send(pending.content, number, pending.scratch)

    def send_together(self, pendings: Sequence[Pending]) -> None:
        """Send calls that are to be run together."""
        if len(pendings) > 1:
            self._process.send(encode(Together(len(pendings))))
        for pending in pendings:
            pending.together = len(pendings)
            self.send(pending)

    def running(self) -> Pending | None:
        """Return the call that the worker runs, or is about to."""
        return self.held.get(self._process.begun) or next(iter(self.held.values()), None)

    async def take_back(self) -> list[Pending]:
        """Return the calls in the pipe that the worker has not begun; it will not begin them any more."""
        if len(self.held) < 2:  # noqa: PLR2004 - one that runs, one behind it
            return []
        self.is_stuck = True
        last = self._last_number
        begun = await self._process.take_back(last)
        if begun is None or self.state is State.GONE:
            return []
        begun = max(begun, next(iter(self.held), 0))
        taken = [number for number in self.held if begun < number <= last]
        return [self.held.pop(number) for number in taken]

    async def wait(self) -> str:
        """Wait until the process has ended and everything it said has been read; return what became of it."""
        exited = await self._process.exited()
        self.state = State.GONE
        await self._process.last_words()
        reason = f"was killed ({self.killed_for})" if self.killed_for else _reason(exited)
        if not self.was_told_to_end:
            _log.warning("A worker of %s %s", self._start.name, reason)
        return reason

    def pause(self) -> None:
        """Read nothing from the worker for now, which then waits with what it has to say."""
        self._process.pause()

    def resume(self) -> None:
        """Read again what the worker says."""
        self._process.resume()

    def give_up(self, number: int) -> None:
        """Let the worker end a call whose result comes in chunks, as soon as it has sent the next one."""
        self._process.give_up(number)

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
        """Say whether the process runs: one that was stopped answers nothing."""
        return self._process.is_running()

    def lost_calls(self) -> tuple[list[Pending], list[Pending]]:
        """Return, for a process that has ended, the calls it had begun, and those it had not.

        It had begun one at most, or some together, unless answers were lost in what else it wrote.
        """
        last = self._process.begun
        begun = [pending for number, pending in self.held.items() if number <= last]
        not_begun = [pending for number, pending in self.held.items() if number > last]
        self.held.clear()
        self._idle.set()
        return begun, not_begun

    def kill(self, cause: str) -> None:
        """Kill the process and all it started; `cause` is for whoever asks why. What it said still counts."""
        self.killed_for = self.killed_for or cause
        self.state = State.GONE
        self._process.kill()

    async def stop(self) -> Exit:
        """End the process, and return how it ended. It may be called again, and meanwhile."""
        self.state = State.GONE
        if not self._process.has_ended:
            self.was_told_to_end = True
        # What it still runs, nobody waits for any more.
        return await self._process.end(0 if self.held else _STOP_GRACE_S)

    def close(self) -> None:
        """Let go of what is left of the process; no call can be asked for any more."""
        self._process.close()

    def hear(self, number: int, message: Any) -> None:
        """Take what the process said."""
        if isinstance(message, Reply | TakenBack):
            self._take(number, message)
        elif isinstance(message, Chunk):
            if number in self.held:
                self._on_chunk(self, number, message)
        elif isinstance(message, Loading):
            self._is_loading = True
        elif not self._started.done():
            self._started.set_result(message)

    def hear_garbage(self) -> None:
        """Kill a process whose pipe the model has written into; nothing it says can be understood."""
        _log.exception("A worker of %s wrote into a pipe that is not its own", self._start.name)
        self.kill("wrote into a pipe that is not its own")
        self._process.hang_up()

    def hear_end(self) -> None:
        """Take a closed pipe for a dead process, and make sure that it is."""
        if self.state in (State.READY, State.LEAVING):
            self._loop.call_later(_HUNG_UP_S, self._kill_if_alive)

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

    def _not_started(self, answer: Failed | None, exited: Exit) -> ModelUnavailable:
        """Return why the worker did not start: what it answered, or how it ended without an answer."""
        cannot = f"The model '{self._start.name}' cannot be used:"
        if answer:
            _log.error(
                "The model %r could not be started", self._start.name, extra=with_trace(answer.traceback)
            )
            return ModelUnavailable(f"{cannot} {answer.message}")
        interrupted = exited.code in _FROM_OUTSIDE and not self._is_loading
        kind = WorkerInterrupted if interrupted else ModelUnavailable
        return kind(f"{cannot} its worker {_reason(exited)} while starting.")

    def _kill_if_alive(self) -> None:
        """Kill a process that has closed its pipe without ending: it can answer nothing any more."""
        if not self._process.has_ended and self.state is not State.GONE:
            self.kill("closed its pipe to the server")


def _reason(exited: Exit) -> str:
    return exited.reason if exited.code is None else exit_reason(exited.code)
