"""Chooses the number of workers: more while calls wait, fewer when workers are idle."""

import asyncio
import math

from deepaas.log import get_logger
from deepaas.metrics import PoolMetrics
from deepaas.workers.call_queue import CallQueue, ServiceTimeEstimate
from deepaas.workers.pool_config import PoolConfig
from deepaas.workers.supervisor import WorkerSupervisor

_SCALE_UP_WAIT_S = 0.2
_MIN_SCALE_DOWN_DELAY_S = 0.05
_log = get_logger(__name__)


class Autoscaler:
    """Adapts the desired number of workers to the queue, within the configured minimum and maximum.

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
        self._scale_down_timer: asyncio.TimerHandle | None = None

    def evaluate(self) -> None:
        """Scale up if calls have been queued for too long and every ready worker is busy."""
        ready = self._supervisor.list_ready_workers()
        waited_s = self._queue.oldest_wait_s(asyncio.get_running_loop().time())
        is_pressing = waited_s > self._config.batch_timeout_s + _SCALE_UP_WAIT_S
        if is_pressing and ready and all(worker.in_flight for worker in ready):
            target = min(self._estimate_target_workers(len(ready)), self._config.workers.max)
            self._scale(max(target, self._supervisor.desired), "up", "calls are waiting")

    def cancel_scale_up(self) -> None:
        """Scale down to the ready workers, but not below the minimum."""
        ready = len(self._supervisor.list_ready_workers())
        target = max(ready, self._config.workers.min)
        self._scale(min(target, self._supervisor.desired), "down", "the model is reloaded")

    def _estimate_target_workers(self, ready_count: int) -> int:
        """Return how many workers would empty the queue within `_SCALE_UP_WAIT_S`.

        At least one more than are ready, at most one more per queued batch.
        """
        calls = len(self._queue)
        work_s = self._service_time.estimate_s(calls)
        most = ready_count + math.ceil(calls / self._queue.max_batch_size)
        enough = math.ceil(work_s / _SCALE_UP_WAIT_S) if work_s else most
        return min(most, max(ready_count + 1, enough))

    def _scale(self, count: int, direction: str, reason: str) -> None:
        change = abs(count - self._supervisor.desired)
        if change:
            _log.info("Scaling %r %s to %d workers: %s", self._model_name, direction, count, reason)
            self._metrics.record_scale_events(direction, change)
            self._supervisor.scale(count)
        if self._scale_down_timer is None and count > self._config.workers.min:
            self._schedule_scale_down(self._config.scale_down_after_s)

    def _schedule_scale_down(self, delay_s: float) -> None:
        delay_s = max(delay_s, _MIN_SCALE_DOWN_DELAY_S)
        self._scale_down_timer = asyncio.get_running_loop().call_later(delay_s, self._scale_down)

    def _scale_down(self) -> None:
        """Drop workers that have been idle for `scale_down_after_s`, or cannot be started."""
        self._scale_down_timer = None
        now, limit_s = asyncio.get_running_loop().time(), self._config.scale_down_after_s
        ready = self._supervisor.list_ready_workers()
        left_s = [worker.idle_since + limit_s - now for worker in ready if not worker.in_flight]
        # Workers that cannot be started are missing in the list; retired ones may still be in it.
        running = min(len(self._supervisor.list_workers()), self._supervisor.desired)
        target = max(running - sum(1 for left in left_s if left <= 0), self._config.workers.min)
        if not self._queue and target < self._supervisor.desired:
            self._scale(target, "down", f"idle for {limit_s:g} s")
        if self._supervisor.desired > self._config.workers.min:
            self._schedule_scale_down(min((left for left in left_s if left > 0), default=limit_s))
