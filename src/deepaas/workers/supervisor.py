"""Keeps workers running: restarts a worker that exits, drains one before replacing it."""

import asyncio
import contextvars
import itertools
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from deepaas.errors import ModelUnavailable, WorkerKilledDuringStart
from deepaas.log import get_logger
from deepaas.workers.worker import Worker, WorkerState

START_KILL_GRACE_S = 10.0
"""For how long kills before the model is loaded do not count as failures to start."""
_INITIAL_BACKOFF_S = 0.5
_MAX_BACKOFF_S = 30.0
_log = get_logger(__name__)


class SlotCallbacks(NamedTuple):
    """Callbacks of a slot: its worker is ready, none could be started, a worker exited (with the reason)."""

    on_ready: Callable[[], None]
    on_start_failure: Callable[[ModelUnavailable], None]
    on_exit: Callable[[Worker, str], None]


class WorkerSlot:
    """Keeps one worker running; `worker` is the one that serves calls, `None` while there is none."""

    def __init__(self, create_worker: Callable[[], Worker], callbacks: SlotCallbacks) -> None:
        self.worker: Worker | None = None
        self._create_worker = create_worker
        self._callbacks = callbacks
        self._exit_watchers: dict[Worker, asyncio.Task[None]] = {}
        self._restart_task: asyncio.Task[None] | None = None
        self._is_kept_running = True

    @property
    def workers(self) -> list[Worker]:
        """The current worker, and replaced ones that have not exited yet."""
        return list(self._exit_watchers)

    async def start(self) -> Worker | None:
        """Start a worker, make it the current one when it is ready, and return its predecessor.

        Raise `ModelUnavailable` when it cannot be started; the current worker stays.
        """
        worker = self._create_worker()
        try:
            await worker.start()
        except BaseException:
            worker.kill("not needed")
            await worker.stop()
            worker.close()
            raise
        return self._install(worker)

    async def replace(self) -> None:
        """Start a new worker, then drain and stop the old one."""
        old = await self.start()
        if old:
            await old.drain_and_stop()

    def keep_running(self) -> None:
        """Keep a worker running from now on; returns without waiting for its start."""
        self._is_kept_running = True
        if self.worker is None and self._restart_task is None:
            self._restart_task = create_detached_task(self._restart_with_backoff())

    async def stop(self) -> None:
        """Stop the workers and do not restart them."""
        self._is_kept_running = False
        refilling = self._restart_task
        self._cancel_restart()
        if refilling:
            await asyncio.wait([refilling])
        workers = self._exit_watchers
        await asyncio.gather(*(worker.stop() for worker in workers))
        await asyncio.gather(*workers.values())

    def _install(self, worker: Worker) -> Worker | None:
        self._cancel_restart()
        old, self.worker = self.worker, worker
        self._exit_watchers[worker] = create_detached_task(self._watch_exit(worker))
        self._callbacks.on_ready()
        return old

    async def _watch_exit(self, worker: Worker) -> None:
        """Wait until the worker exits; restart it if it was the current one, and report the exit."""
        reason = await worker.wait()
        if self.worker is worker:
            self.worker = None
            if self._is_kept_running:
                self.keep_running()
        self._callbacks.on_exit(worker, reason)
        await worker.stop()
        worker.close()
        del self._exit_watchers[worker]

    async def _restart_with_backoff(self) -> None:
        """Try to start a worker until it succeeds; the delay doubles up to 30 s."""
        loop = asyncio.get_running_loop()
        patient_until = loop.time() + START_KILL_GRACE_S
        delay_s = _INITIAL_BACKOFF_S
        for failures in itertools.count(1):
            try:
                await self.start()
            except ModelUnavailable as error:
                if failures == 1 or (
                    isinstance(error, WorkerKilledDuringStart) and loop.time() < patient_until
                ):
                    _log.warning("%s Trying again.", error)
                    continue
                _log.warning("%s Trying again in %g s.", error, delay_s)
                error.retry_after_s = delay_s
                self._callbacks.on_start_failure(error.with_traceback(None))
            else:
                return
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _MAX_BACKOFF_S)

    def _cancel_restart(self) -> None:
        refilling, self._restart_task = self._restart_task, None
        if refilling and refilling is not asyncio.current_task():
            refilling.cancel()


def create_detached_task(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run a coroutine as a task in an empty context, so that its log lines carry no request id."""
    task = asyncio.create_task(coroutine, context=contextvars.Context())
    task.add_done_callback(_log_failure)
    return task


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception():
        _log.error("Background task failed", exc_info=task.exception())


class WorkerSupervisor:
    """The slots of a pool's workers, `min_workers` at first."""

    def __init__(
        self, create_worker: Callable[[], Worker], callbacks: SlotCallbacks, min_workers: int
    ) -> None:
        self._create_worker = create_worker
        self._callbacks = callbacks
        self._min_workers = min_workers
        self._slots = [self._create_slot() for _ in range(min_workers)]
        self._stop_tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._slots)

    def list_ready_workers(self) -> list[Worker]:
        """Return the workers that accept calls."""
        workers = [slot.worker for slot in self._slots]
        return [worker for worker in workers if worker is not None and worker.state is WorkerState.READY]

    def list_workers(self) -> list[Worker]:
        """Return all workers that may have calls in flight, including replaced ones that are draining."""
        return [worker for slot in self._slots for worker in slot.workers]

    async def start(self) -> None:
        """Start all workers. When one cannot be started, stop all and raise `ModelUnavailable`."""
        filled = await asyncio.gather(*(slot.start() for slot in self._slots), return_exceptions=True)
        problem = next((result for result in filled if isinstance(result, BaseException)), None)
        if problem:
            await self.stop()
            raise problem

    async def add_worker(self) -> None:
        """Add a slot and start its worker. Raise `ModelUnavailable`, and remove the slot, when that fails."""
        slot = self._create_slot()
        self._slots.append(slot)
        try:
            await slot.start()
        except BaseException:
            self._slots.remove(slot)
            raise

    def remove_worker(self, worker: Worker) -> None:
        """Remove the slot of an idle worker and stop the worker in the background."""
        self._remove_slot(next(slot for slot in self._slots if slot.worker is worker))

    def drop_dead(self) -> None:
        """Remove the slots whose worker has exited and is not restarted yet."""
        for slot in [slot for slot in self._slots if slot.worker is None]:
            self._remove_slot(slot)

    def _remove_slot(self, slot: WorkerSlot) -> None:
        self._slots.remove(slot)
        emptying = create_detached_task(slot.stop())
        self._stop_tasks.add(emptying)
        emptying.add_done_callback(self._stop_tasks.discard)

    async def replace(self) -> None:
        """Replace the workers one by one; each keeps serving until its successor is ready.

        Raise `ModelUnavailable` when one cannot be started; the remaining workers are not replaced.
        """
        for slot in self._slots:
            await slot.replace()

    def keep_running(self) -> None:
        """Keep a worker running in every slot from now on; returns without waiting for their start."""
        for slot in self._slots:
            slot.keep_running()

    async def stop(self) -> None:
        """Stop all workers and do not restart them; the number of slots returns to `min_workers`."""
        await asyncio.gather(*(slot.stop() for slot in self._slots), *self._stop_tasks)
        del self._slots[self._min_workers :]

    def _create_slot(self) -> WorkerSlot:
        return WorkerSlot(self._create_worker, self._callbacks)
