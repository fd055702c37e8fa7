"""A model's workers and the queue before them: dispatch, and replacing the dead.

It must not know HTTP nor fields.
"""

import asyncio
import collections
import contextlib
import itertools
import logging
from collections.abc import Callable
from typing import NamedTuple, Self

from deepaas.errors import ModelUnavailable, PredictionTimedOut, WorkerLost
from deepaas.messages import Body, Failed, Reply, Start, frame
from deepaas.metrics import PoolMetrics
from deepaas.workers.process import Pending, Worker

_LONG_CALL_S = 0.001
_DEEPEST = 32
_RECENT = 0.1
_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 30.0
_SHORTEST_CALL_S = 1e-6
_LOOK_S = 0.25
_MOST_LOSSES = 5
_FULL = "{} predictions are waiting already (--max-queue). Try again later."
_log = logging.getLogger(__name__)


class Limits(NamedTuple):
    """What a pool allows itself.

    `predict_timeout_s` is the longest that a call may run, 0 for any time; `max_queue` the most calls that
    wait. With `cancel_on_disconnect`, a worker whose caller has left is killed.
    """

    workers: int
    predict_timeout_s: float
    max_queue: int
    cancel_on_disconnect: bool


class PoolState(NamedTuple):
    """How a pool stands: calls that wait and the age of the oldest, workers by what they do."""

    waiting: int
    oldest_s: float
    busy: int
    idle: int
    starting: int


class Pool:
    """The workers of one model.

    Use it as an asynchronous context manager: entering starts and warms the workers, leaving ends them.
    """

    def __init__(
        self,
        start: Start,
        limits: Limits,
        metrics: PoolMetrics,
        on_output: Callable[[bytes], None] | None = None,
    ) -> None:
        self._start = start
        self._limits = limits
        self._metrics = metrics
        self._on_output = on_output
        self._workers: list[Worker] = []
        self._retired: set[Worker] = set()
        self._waiting: collections.deque[Pending] = collections.deque()
        self._ids = itertools.count(1)
        self._service_s = _LONG_CALL_S
        self._unavailable: ModelUnavailable | None = None
        self._keepers: set[asyncio.Task[None]] = set()
        self._changing = asyncio.Lock()
        self._guard: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        workers = [self._new_worker() for _ in range(self._limits.workers)]
        started = await asyncio.gather(*(worker.start() for worker in workers), return_exceptions=True)
        problem = next((result for result in started if isinstance(result, BaseException)), None)
        if problem:
            await asyncio.gather(*(worker.stop() for worker in workers))
            raise problem
        for worker in workers:
            self._engage(worker)
        if self._limits.predict_timeout_s:
            self._guard = asyncio.create_task(self._watch_time())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._guard:
            self._guard.cancel()
        await self._stop_all()
        self._fail_waiting(ModelUnavailable("The server is stopping."))

    async def run(self, call: bytes) -> Body | Failed:
        """Queue an encoded call and return what came of it.

        Raise `ModelUnavailable` when there is no worker and none could be started.
        """
        if self._unavailable:
            raise self._unavailable.with_traceback(None)
        if len(self._waiting) >= self._limits.max_queue:
            raise ModelUnavailable(_FULL.format(len(self._waiting)), retry_after_s=self._wait_s())
        loop = asyncio.get_running_loop()
        call_id = next(self._ids)
        pending = Pending(call_id, frame(call, call_id), loop.create_future(), loop.time())
        self._waiting.append(pending)
        self._dispatch()
        try:
            return await pending.outcome
        except asyncio.CancelledError:
            self._abandon(pending)
            raise

    def problem(self) -> str | None:
        """Return why no call could be answered now, or nothing when one could."""
        if self._unavailable:
            return self._unavailable.message
        if not any(worker.is_running() for worker in self._workers):
            return f"No worker of '{self._start.name}' is running."
        if len(self._waiting) >= self._limits.max_queue:
            return _FULL.format(len(self._waiting))
        return None

    def state(self) -> PoolState:
        """Return how the pool stands."""
        now = asyncio.get_running_loop().time()
        busy = sum(1 for worker in self._workers if worker.held)
        return PoolState(
            waiting=len(self._waiting),
            oldest_s=now - self._waiting[0].since if self._waiting else 0.0,
            busy=busy,
            idle=len(self._workers) - busy,
            starting=max(0, len(self._keepers) - len(self._workers)),
        )

    async def reload(self) -> int:
        """Replace the workers one by one, each by one that is warm already; return how many there are.

        Raise `ModelUnavailable`, with the workers as they were, when the model cannot be started again.
        """
        async with self._changing:
            for old in list(self._workers):
                new = self._new_worker()
                try:
                    await new.start()
                except BaseException:
                    await new.stop()
                    raise
                self._engage(new)
                await self._retire(old)
            return len(self._workers)

    async def pause(self, reason: ModelUnavailable) -> None:
        """Stop the workers, when they have answered what they hold; refuse calls with `reason`."""
        async with self._changing:
            self._unavailable = reason
            self._fail_waiting(reason)
            await asyncio.gather(*(worker.idle() for worker in self._workers))
            await self._stop_all()

    async def resume(self) -> None:
        """Start the workers that `pause` stopped, and take calls as soon as the first is warm."""
        async with self._changing:
            for _ in range(self._limits.workers):
                self._engage(None)

    def _new_worker(self) -> Worker:
        return Worker(self._start, self._on_reply, self._on_output)

    def _engage(self, worker: Worker | None) -> None:
        """Use the worker, which is warm, or the first that can be started, and replace it when it dies."""
        if worker:
            self._admit(worker)
        keeper = asyncio.create_task(self._keep(worker))
        self._keepers.add(keeper)
        keeper.add_done_callback(self._keepers.discard)

    def _admit(self, worker: Worker) -> None:
        self._unavailable = None
        self._workers.append(worker)
        self._dispatch()

    async def _retire(self, worker: Worker) -> None:
        """Let the worker answer what it holds, then end it."""
        if worker in self._workers:
            self._retired.add(worker)
            self._workers.remove(worker)
            await worker.idle()
            await worker.stop()

    async def _stop_all(self) -> None:
        keepers = list(self._keepers)
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        self._workers.clear()

    def _dispatch(self) -> None:
        """Send waiting calls to the workers that hold the fewest, as long as there is room."""
        waiting = self._waiting
        depth = self._depth()
        while waiting:
            worker = min(self._workers, key=_load, default=None)
            if worker is None or len(worker.held) >= depth:
                return
            pending = waiting.popleft()
            if not pending.outcome.done():
                worker.send(pending)

    def _depth(self) -> int:
        """Return how many calls may be in a worker's pipe.

        One, when a call takes long: then the queue here stays exact. More, when calls are so short that a
        worker would wait for the next one longer than it works.
        """
        return max(1, min(_DEEPEST, int(_LONG_CALL_S / self._service_s)))

    def _on_reply(self, pending: Pending, reply: Reply) -> None:
        taken_s = reply.model_s + reply.render_s
        self._service_s += _RECENT * (max(taken_s, _SHORTEST_CALL_S) - self._service_s)
        if not pending.outcome.done():
            pending.outcome.set_result(reply.outcome)
            queue_s = asyncio.get_running_loop().time() - pending.since - taken_s
            self._metrics.note_answer(queue_s, reply.model_s, reply.render_s)
        self._dispatch()

    def _wait_s(self) -> float:
        """Return how long the calls that wait will take, as far as recent ones tell."""
        return max(1.0, len(self._waiting) * self._service_s / self._limits.workers)

    def _abandon(self, pending: Pending) -> None:
        """Drop a call whose caller has left; if it is running, that may cost its worker its life."""
        with contextlib.suppress(ValueError):
            self._waiting.remove(pending)
        if self._limits.cancel_on_disconnect:
            for worker in self._workers:
                if next(iter(worker.held), None) == pending.id:
                    worker.kill("disconnect")

    async def _watch_time(self) -> None:
        """End calls that run for too long, with their workers."""
        limit_s = self._limits.predict_timeout_s
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(limit_s / 4, _LOOK_S))
            for worker in self._workers:
                if worker.held and loop.time() - worker.head_since > limit_s:
                    head = next(iter(worker.held.values()))
                    head.fail(PredictionTimedOut(f"The prediction took longer than {limit_s:g} s."))
                    worker.kill("timeout")

    async def _keep(self, worker: Worker | None) -> None:
        """Use the worker, and when it dies another, until it is retired."""
        try:
            while True:
                if worker is None:
                    worker = await self._replacement()
                    self._admit(worker)
                reason = await worker.wait()
                if worker in self._retired:
                    self._retired.discard(worker)
                    return
                self._workers.remove(worker)
                await self._bury(worker, reason)
                worker = None
        finally:
            if worker:
                await worker.stop()

    async def _bury(self, worker: Worker, reason: str) -> None:
        _log.warning("A worker of %s %s; starting another", self._start.name, reason)
        self._metrics.note_restart(worker.killed_for or reason.rpartition(" ")[2])
        running, not_begun = worker.lost_calls()
        lost = WorkerLost(
            f"The worker that ran this prediction {reason}. Other predictions are not affected."
        )
        if running:
            running.fail(lost)
        for pending in reversed(not_begun):
            pending.losses += 1
            if pending.losses > _MOST_LOSSES:
                pending.fail(lost)
            else:
                self._waiting.appendleft(pending)
        self._dispatch()
        await worker.stop()

    async def _replacement(self) -> Worker:
        """Start a worker, again and again with growing pauses until one is warm."""
        delay_s = _FIRST_DELAY_S
        while True:
            worker = self._new_worker()
            try:
                await worker.start()
            except ModelUnavailable as error:
                _log.warning("%s Trying again in %g s.", error, delay_s)
                self._note_cause(ModelUnavailable(error.message, retry_after_s=delay_s))
            except asyncio.CancelledError:
                await worker.stop()
                raise
            else:
                return worker
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)

    def _note_cause(self, cause: ModelUnavailable) -> None:
        """Remember why there is no worker, and tell those who wait for one."""
        if not self._workers:
            self._unavailable = cause
            self._fail_waiting(cause)

    def _fail_waiting(self, cause: ModelUnavailable) -> None:
        while self._waiting:
            self._waiting.popleft().fail(cause)


def _load(worker: Worker) -> int:
    return len(worker.held)
