"""Polls busy workers: enforces time limits, revokes calls behind a long one, reports waiting calls."""

import asyncio
from collections.abc import Callable, Iterable

from deepaas.errors import PredictionTimeout
from deepaas.workers.call_queue import PendingCall
from deepaas.workers.worker import Worker, WorkerState

_POLL_INTERVAL_S = 0.02
_STALL_S = 0.01


class CallMonitor:
    """Takes back calls that stand behind a long one, and ends those that run for too long.

    `list_workers` returns those to look at; `requeue` is called with the calls that others are to run. A call
    may run for `predict_timeout_s` seconds, 0 for any time. `on_poll` is called after each look.
    """

    def __init__(
        self,
        list_workers: Callable[[], Iterable[Worker]],
        requeue: Callable[[list[PendingCall]], None],
        on_poll: Callable[[], None],
        predict_timeout_s: float,
    ) -> None:
        self._list_workers = list_workers
        self._requeue = requeue
        self._on_poll = on_poll
        self._predict_timeout_s = predict_timeout_s
        self._wake_event = asyncio.Event()

    def wake(self) -> None:
        """See to it that somebody looks, for a worker was sent calls."""
        self._wake_event.set()

    async def run(self) -> None:
        """Look again and again, as long as a worker holds calls."""
        while True:
            await self._wake_event.wait()
            self._wake_event.clear()
            await asyncio.sleep(_POLL_INTERVAL_S)
            for worker in self._list_workers():
                if worker.in_flight and worker.state is not WorkerState.STOPPED:
                    self._wake_event.set()
                    await self._check(worker)
            self._on_poll()

    async def _check(self, worker: Worker) -> None:
        loop = asyncio.get_running_loop()
        if len(worker.in_flight) > 1 and loop.time() - worker.head_started_at > _STALL_S:
            self._requeue(await worker.revoke_unstarted())
        if (
            self._predict_timeout_s
            and worker.in_flight
            and loop.time() - worker.head_started_at > self._predict_timeout_s
        ):
            self._time_out_call(worker)

    def _time_out_call(self, worker: Worker) -> None:
        running = worker.get_current_call()
        if running and (running.batch_size == 1 or running.stream):
            running.fail(PredictionTimeout(f"The prediction took longer than {self._predict_timeout_s:g} s."))
        worker.kill("timeout")
