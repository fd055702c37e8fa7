"""Polls busy workers: enforces the prediction timeout, and revokes calls queued behind a long one."""

import asyncio
from collections.abc import Callable, Iterable

from deepaas.errors import PredictionTimeout
from deepaas.workers.call_queue import PendingCall
from deepaas.workers.worker import Worker, WorkerState

_POLL_INTERVAL_S = 0.02
_STALL_S = 0.01


class CallMonitor:
    """Revokes calls that are stuck behind a long one, and kills workers whose call exceeds the timeout.

    `list_workers` returns the workers to poll, `requeue` receives the revoked calls, and `on_poll` is called
    after each poll.
    """

    def __init__(
        self,
        list_workers: Callable[[], Iterable[Worker]],
        requeue: Callable[[list[PendingCall]], None],
        on_poll: Callable[[], None],
    ) -> None:
        self._list_workers = list_workers
        self._requeue = requeue
        self._on_poll = on_poll
        self._wake_event = asyncio.Event()

    def wake(self) -> None:
        """Start polling; to be called when calls are sent to a worker."""
        self._wake_event.set()

    async def run(self) -> None:
        """Poll while any worker has calls in flight; runs until cancelled."""
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
        running = worker.get_current_call()
        if running and running.timeout_s and loop.time() - worker.head_started_at > running.timeout_s:
            if running.batch_size == 1 or running.stream:
                running.fail(PredictionTimeout(f"The prediction took longer than {running.timeout_s:g} s."))
            worker.kill("timeout")
