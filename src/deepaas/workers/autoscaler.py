"""Starts workers while calls wait, and stops idle ones."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator

from deepaas.errors import ModelUnavailable
from deepaas.log import get_logger
from deepaas.metrics import PoolMetrics
from deepaas.workers.call_queue import CallQueue, ServiceTimeEstimate
from deepaas.workers.pool_config import PoolConfig
from deepaas.workers.supervisor import WorkerSupervisor, create_detached_task
from deepaas.workers.worker import Worker

_SCALE_UP_WAIT_S = 0.2
_MIN_SCALE_DOWN_DELAY_S = 0.05
_INITIAL_BACKOFF_S = 1.0
_MAX_BACKOFF_S = 60.0
_log = get_logger(__name__)


class Autoscaler:
    """Adapts the number of workers to the queue, within the configured minimum and maximum.

    The owner must call `evaluate` regularly while workers have calls in flight; idle workers need no polling.
    """

    def __init__(
        self,
        supervisor: WorkerSupervisor,
        queue: CallQueue,
        service_time: ServiceTimeEstimate,
        config: PoolConfig,
        metrics: PoolMetrics,
        *,
        model_name: str,
    ) -> None:
        self._supervisor = supervisor
        self._queue = queue
        self._service_time = service_time
        self._config = config
        self._metrics = metrics
        self._model_name = model_name
        self._scale_up_tasks: set[asyncio.Task[None]] = set()
        self._last_busy_at: dict[Worker, float] = {}
        self._scale_down_timer: asyncio.TimerHandle | None = None
        self._is_paused = False
        self._backoff_s = _INITIAL_BACKOFF_S
        self._next_scale_up_at = 0.0

    @contextlib.asynccontextmanager
    async def pause(self) -> AsyncIterator[None]:
        """Do not scale while the context is active; workers that are starting are cancelled."""
        self._is_paused = True
        try:
            for task in self._scale_up_tasks:
                task.cancel()
            await asyncio.gather(*self._scale_up_tasks, return_exceptions=True)
            yield
        finally:
            self._is_paused = False
            self._schedule_scale_down(self._config.scale_down_after_s)

    def evaluate(self) -> None:
        """Start workers if calls have been queued for too long and every ready worker is busy."""
        if self._config.workers.max == self._config.workers.min or self._is_paused:
            return
        now = asyncio.get_running_loop().time()
        self._record_busy(now)
        for _ in range(self._count_workers_to_add(self._supervisor.list_ready_workers(), now)):
            task = create_detached_task(self._scale_up())
            self._scale_up_tasks.add(task)
            task.add_done_callback(self._scale_up_tasks.discard)

    def _count_workers_to_add(self, ready: list[Worker], now: float) -> int:
        longest_s = self._config.batch_timeout_s + _SCALE_UP_WAIT_S
        is_pressing = self._queue.oldest_wait_s(now) > longest_s and now >= self._next_scale_up_at
        if not (is_pressing and ready and all(worker.in_flight for worker in ready)):
            return 0
        there = len(self._supervisor)
        return min(self._estimate_target_workers(len(ready)), self._config.workers.max) - there

    def _estimate_target_workers(self, ready_count: int) -> int:
        """Return how many workers would empty the queue within `_SCALE_UP_WAIT_S`.

        At least one more than are ready, at most one more per queued batch.
        """
        calls = len(self._queue)
        work_s = self._service_time.estimate_s(calls)
        most = ready_count + math.ceil(calls / self._queue.max_batch_size)
        enough = math.ceil(work_s / _SCALE_UP_WAIT_S) if work_s else most
        return min(most, max(ready_count + 1, enough))

    async def _scale_up(self) -> None:
        """Start one more worker; if that fails, suspend scaling up for a growing delay."""
        try:
            await self._supervisor.add_worker()
        except ModelUnavailable as error:
            self._next_scale_up_at = asyncio.get_running_loop().time() + self._backoff_s
            _log.warning(
                "Could not scale up model %r: %s Next attempt in %g s at the earliest.",
                self._model_name,
                error,
                self._backoff_s,
            )
            self._backoff_s = min(2 * self._backoff_s, _MAX_BACKOFF_S)
            return
        self._backoff_s = _INITIAL_BACKOFF_S
        self._metrics.record_scale_event("up")
        self._record_busy(asyncio.get_running_loop().time())
        _log.info("Scaled up %r to %d workers (calls waiting)", self._model_name, len(self._supervisor))
        self._schedule_scale_down(self._config.scale_down_after_s)

    def _record_busy(self, now: float) -> None:
        before = self._last_busy_at
        self._last_busy_at = {
            worker: now if worker.in_flight else before.get(worker, now)
            for worker in self._supervisor.list_ready_workers()
        }

    def _schedule_scale_down(self, delay_s: float) -> None:
        """Check for idle workers after `delay_s`, if there are more workers than the minimum."""
        if (
            self._scale_down_timer is None
            and len(self._supervisor) > self._config.workers.min
            and not self._is_paused
        ):
            loop = asyncio.get_running_loop()
            self._scale_down_timer = loop.call_later(
                max(delay_s, _MIN_SCALE_DOWN_DELAY_S), self._on_scale_down_timer
            )

    def _on_scale_down_timer(self) -> None:
        self._scale_down_timer = None
        if self._is_paused:
            return  # the end of the pause schedules the next check
        now = asyncio.get_running_loop().time()
        self._record_busy(now)
        if not self._queue:
            self._scale_down_idle(now)
        soonest = min(map(self._get_last_used_at, self._supervisor.list_ready_workers()), default=now)
        after_s = self._config.scale_down_after_s
        self._schedule_scale_down(soonest + after_s - now if soonest + after_s > now else after_s)

    def _scale_down_idle(self, now: float) -> None:
        """Stop workers above the minimum that have been idle for `scale_down_after_s`; drop dead ones."""
        ready = self._supervisor.list_ready_workers()
        spare = len(ready) - self._config.workers.min
        if spare >= 0 and not self._scale_up_tasks:
            self._supervisor.drop_dead()
        rested = [
            one for one in ready if now - self._get_last_used_at(one) >= self._config.scale_down_after_s
        ]
        # Calls go to the first idle worker, so the last ones are needed least.
        for worker in rested[len(rested) - min(max(spare, 0), len(rested)) :]:
            self._supervisor.remove_worker(worker)
            self._metrics.record_scale_event("down")
            _log.info(
                "Scaled down %r to %d workers (pid %s was idle)",
                self._model_name,
                len(self._supervisor),
                worker.pid,
            )

    def _get_last_used_at(self, worker: Worker) -> float:
        # Polling may miss short calls, so the start of the last call counts, too.
        if worker.in_flight:
            return asyncio.get_running_loop().time()
        return max(self._last_busy_at[worker], worker.head_started_at)
