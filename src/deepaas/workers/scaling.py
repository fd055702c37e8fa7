"""How many workers there are: more when calls wait, fewer when workers have nothing to do.

It must not know which call goes to which worker, nor why workers end.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator

from deepaas.errors import ModelUnavailable
from deepaas.log import get_logger
from deepaas.metrics import PoolMetrics
from deepaas.workers.limits import Limits
from deepaas.workers.pace import Pace
from deepaas.workers.places import Places
from deepaas.workers.slot import on_its_own
from deepaas.workers.waiting import Waiting
from deepaas.workers.worker import Worker

_LONG_WAIT_S = 0.2
_SHORTEST_REST_S = 0.05
_FIRST_DELAY_S = 1.0
_LONGEST_DELAY_S = 60.0
_log = get_logger(__name__)


class Scaling:
    """Keeps as many places as the calls need, within the scale of `limits`.

    Whoever looks at workers while they hold calls should call `look` then; nobody need look at idle ones.
    """

    def __init__(
        self, places: Places, waiting: Waiting, pace: Pace, limits: Limits, metrics: PoolMetrics
    ) -> None:
        self._places = places
        self._waiting = waiting
        self._pace = pace
        self._limits = limits
        self._metrics = metrics
        self._growing: set[asyncio.Task[None]] = set()
        self._busy_at: dict[Worker, float] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._is_held = False
        self._delay_s = _FIRST_DELAY_S
        self._not_before = 0.0

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Leave the number of workers alone for a while; those that were starting are given up."""
        self._is_held = True
        try:
            for task in self._growing:
                task.cancel()
            await asyncio.gather(*self._growing, return_exceptions=True)
            yield
        finally:
            self._is_held = False
            self._see_to_rest(self._limits.scale_down_after_s)

    def look(self) -> None:
        """Start workers when calls have waited for long and there is nobody who could take them."""
        if self._limits.scale.most == self._limits.scale.least or self._is_held:
            return
        now = asyncio.get_running_loop().time()
        self._note_busy(now)
        for _ in range(self._missing(self._places.ready(), now)):
            task = on_its_own(self._grow())
            self._growing.add(task)
            task.add_done_callback(self._growing.discard)

    def _missing(self, ready: list[Worker], now: float) -> int:
        """Return how many more workers should be started."""
        longest_s = self._limits.patience_s + _LONG_WAIT_S
        is_pressing = self._waiting.oldest_s(now) > longest_s and now >= self._not_before
        if not (is_pressing and ready and all(worker.held for worker in ready)):
            return 0
        there = len(self._places)
        return min(self._needed(len(ready)), self._limits.scale.most) - there

    def _needed(self, ready: int) -> int:
        """Return how many workers would answer those that wait before others have waited for long.

        That is one for each that waits, at most, and one more than there are, at least.
        """
        calls = len(self._waiting)
        work_s = self._pace.work_s(calls)
        most = ready + math.ceil(calls / self._waiting.most_together)
        enough = math.ceil(work_s / _LONG_WAIT_S) if work_s else most
        return min(most, max(ready + 1, enough))

    async def _grow(self) -> None:
        """Start one more worker; when that cannot be done, leave it for a while."""
        try:
            await self._places.add()
        except ModelUnavailable as error:
            self._not_before = asyncio.get_running_loop().time() + self._delay_s
            _log.warning("One more worker was wanted. %s Not again before %g s.", error, self._delay_s)
            self._delay_s = min(2 * self._delay_s, _LONGEST_DELAY_S)
            return
        self._delay_s = _FIRST_DELAY_S
        self._metrics.note_scaling("up")
        self._note_busy(asyncio.get_running_loop().time())
        _log.info("Calls were waiting: there is a worker more, of %d", len(self._places))
        self._see_to_rest(self._limits.scale_down_after_s)

    def _note_busy(self, now: float) -> None:
        """Remember who has something to do."""
        before = self._busy_at
        self._busy_at = {
            worker: now if worker.held else before.get(worker, now) for worker in self._places.ready()
        }

    def _see_to_rest(self, after_s: float) -> None:
        """Look for workers that have nothing to do, later, when there are more than the least."""
        if self._alarm is None and len(self._places) > self._limits.scale.least and not self._is_held:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(max(after_s, _SHORTEST_REST_S), self._on_rest)

    def _on_rest(self) -> None:
        """Let go of workers that have been idle for long."""
        self._alarm = None
        if self._is_held:
            return  # whoever holds it sees to it
        now = asyncio.get_running_loop().time()
        self._note_busy(now)
        if not self._waiting:
            self._let_go(now)
        soonest = min(map(self._last_use, self._places.ready()), default=now)
        after_s = self._limits.scale_down_after_s
        self._see_to_rest(soonest + after_s - now if soonest + after_s > now else after_s)

    def _let_go(self, now: float) -> None:
        """End idle workers, and look no more for successors of dead ones, as long as there are enough."""
        ready = self._places.ready()
        spare = len(ready) - self._limits.scale.least
        if spare >= 0 and not self._growing:
            self._places.remove_empty()
        rested = [one for one in ready if now - self._last_use(one) >= self._limits.scale_down_after_s]
        # Calls go to the first that is free, so the last are those that are needed least.
        for worker in rested[len(rested) - min(max(spare, 0), len(rested)) :]:
            self._places.remove(worker)
            self._metrics.note_scaling("down")
            _log.info("A worker had nothing to do: there are %d left", len(self._places))

    def _last_use(self, worker: Worker) -> float:
        """Return when a worker was seen at work last, or began a call that may have been too short to see."""
        if worker.held:
            return asyncio.get_running_loop().time()
        return max(self._busy_at[worker], worker.head_since)
