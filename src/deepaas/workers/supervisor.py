"""Keeps the desired number of workers running: starts, restarts, replaces and retires them."""

import asyncio
import contextvars
import functools
import itertools
import re
import traceback
from collections.abc import Callable
from typing import NamedTuple

from deepaas.errors import ModelUnavailable, WorkerKilledDuringStart
from deepaas.log import get_logger, traceback_extra
from deepaas.workers.worker import Worker, WorkerState

_START_KILL_GRACE_S = 10.0
_INITIAL_BACKOFF_S = 0.5
_MAX_BACKOFF_S = 30.0
_CAUSE_VERB = re.compile("was killed by |exited with |was ")
_log = get_logger(__name__)


class SupervisorCallbacks(NamedTuple):
    """Callbacks: a worker is ready, repeated starts have failed, a worker exited (with the reason)."""

    on_ready: Callable[[], None]
    on_start_failure: Callable[[ModelUnavailable], None]
    on_exit: Callable[[Worker, str], None]


class WorkerSupervisor:
    """Keeps `desired` workers running; `create_worker` creates one with a number, without starting it.

    Every event changes the state and calls `_reconcile`, the only function that starts and retires workers.
    A failed start is retried at once, then after 0.5 s, doubling up to 30 s. A worker that becomes ready or
    exits, and a reload, end the wait. For 10 s after that, a start that was killed before the model was
    loaded does not count as failed.
    """

    def __init__(self, create_worker: Callable[[int], Worker], callbacks: SupervisorCallbacks) -> None:
        self.desired = 0
        self._create_worker = create_worker
        self._callbacks = callbacks
        self._tasks: dict[Worker, asyncio.Task[None]] = {}
        self._outdated: set[Worker] = set()
        self._settled: asyncio.Future[None] | None = None
        self._retry_timer: asyncio.TimerHandle | None = None
        self._delay_s: float | None = None
        self._patient_until = 0.0

    def list_ready_workers(self) -> list[Worker]:
        """Return the workers that accept calls."""
        return [worker for worker in self._tasks if worker.state is WorkerState.READY]

    def list_workers(self) -> list[Worker]:
        """Return all workers whose process may exist, from the start to the exit."""
        return list(self._tasks)

    async def start(self, count: int) -> None:
        """Start `count` workers. When one cannot be started, stop all and raise `ModelUnavailable`."""
        try:
            self.desired = count
            await self._settle()
        except BaseException:
            await self.stop()
            raise

    def scale(self, count: int) -> None:
        """Change the desired number; returns without waiting for the starts and exits."""
        self.desired = count
        self._reconcile()

    async def reload(self) -> None:
        """Replace the workers one by one; each keeps serving until a new one is ready.

        Raise `ModelUnavailable` when one cannot be started; the remaining workers are not replaced.
        """
        for worker in self.list_workers():
            if worker.state is WorkerState.STARTING:
                self._retire(worker)
            else:
                self._outdated.add(worker)
        self._reset_backoff()
        await self._settle()

    async def stop(self) -> None:
        """Stop all workers without waiting for their calls; `scale` starts new ones."""
        self.desired = 0
        self._outdated.clear()
        self._reset_backoff()
        self._fail_settling(ModelUnavailable("The model's workers were stopped."))
        for worker in self.list_workers():
            if worker.state is WorkerState.STARTING:
                self._retire(worker)
        stopping = [worker.stop() for worker in self._tasks]
        await asyncio.gather(*stopping, *self._tasks.values(), return_exceptions=True)

    async def _settle(self) -> None:
        """Wait until the desired workers are ready and no others are left, or until a start fails."""
        self._settled = asyncio.get_running_loop().create_future()
        self._reconcile()
        await self._settled

    def _fail_settling(self, error: ModelUnavailable) -> bool:
        """Let `start` or `reload` raise `error`; return whether one of them is waiting."""
        if self._settled is None or self._settled.done():
            return False
        self._outdated.clear()
        self._settled.set_exception(error)
        return True

    def _reconcile(self) -> None:
        """Retire surplus workers, and start missing ones. A reload uses one more process than desired."""
        ready = self.list_ready_workers()
        # Calls go to the first idle worker, so the last ones are needed least.
        ready.sort(key=lambda worker: (worker in self._outdated, not worker.in_flight))
        starting = [worker for worker in self._tasks if worker.state is WorkerState.STARTING]
        limit = self.desired + bool(self._outdated)
        for worker in [*ready[self.desired :], *starting[max(0, limit - len(ready)) :]]:
            self._retire(worker)
        if self._retry_timer is None:
            for _ in range(limit - len(self._tasks)):
                self._launch()
        is_complete = len(ready) >= self.desired and not self._outdated
        if is_complete and self._settled and not self._settled.done():
            self._settled.set_result(None)

    def _launch(self) -> None:
        """Create a worker with the lowest free number, and start it."""
        taken = {worker.number for worker in self._tasks}
        worker = self._create_worker(next(number for number in itertools.count(1) if number not in taken))
        context = contextvars.Context()  # its log lines must not carry the id of the current request
        task = asyncio.create_task(self._run(worker), context=context)
        task.add_done_callback(functools.partial(self._on_done, worker), context=context)
        self._tasks[worker] = task

    def _retire(self, worker: Worker) -> None:
        """Stop a worker after its calls in flight, or cancel its start."""
        if worker.state is WorkerState.STARTING:
            worker.kill("not needed")
            self._tasks[worker].cancel()
        else:
            _log.info("%s is not needed any more; stopping it after its calls", worker)
            worker.retire()

    async def _run(self, worker: Worker) -> None:
        """Start a worker, wait until it exits, and release it."""
        try:
            await worker.start()
            self._reset_backoff()
            self._reconcile()
            self._callbacks.on_ready()
            self._on_exit(worker, await worker.wait())
        finally:
            await worker.stop()
            worker.close()

    def _on_exit(self, worker: Worker, reason: str) -> None:
        self._reset_backoff()
        if not worker.stop_requested:
            will_restart = len(self._tasks) <= self.desired + bool(self._outdated - {worker})
            consequence = "restarting" if will_restart else "other workers take over"
            _log.warning("%s exited: %s; %s", worker, _CAUSE_VERB.sub("", reason), consequence)
        self._callbacks.on_exit(worker, reason)

    def _on_done(self, worker: Worker, task: asyncio.Task[None]) -> None:
        del self._tasks[worker]
        self._outdated.discard(worker)
        if not task.cancelled() and (cause := task.exception()):
            error = cause if isinstance(cause, ModelUnavailable) else _create_internal_error(cause)
            if not self._fail_settling(error):
                self._on_start_failure(worker, error)
        self._reconcile()

    def _on_start_failure(self, worker: Worker, error: ModelUnavailable) -> None:
        """Log the failure, and delay further starts; the first retry is immediate."""
        loop = asyncio.get_running_loop()
        was_killed_early = isinstance(error, WorkerKilledDuringStart) and loop.time() < self._patient_until
        if self._retry_timer is None and not was_killed_early:
            last_s = self._delay_s
            self._delay_s = 0.0 if last_s is None else min(2 * last_s or _INITIAL_BACKOFF_S, _MAX_BACKOFF_S)
            if self._delay_s:
                self._retry_timer = loop.call_later(self._delay_s, self._on_retry_timer)
        when = f"in {self._delay_s:g} s" if self._retry_timer else "now"
        extra = traceback_extra("" if self._retry_timer else error.detail)
        _log.warning("%s did not start; trying again %s: %s", worker, when, error, extra=extra)
        if self._retry_timer:
            error.retry_after_s, error.detail = self._delay_s, ""
            self._callbacks.on_start_failure(error.with_traceback(None))

    def _on_retry_timer(self) -> None:
        self._retry_timer = None
        self._reconcile()

    def _reset_backoff(self) -> None:
        if self._retry_timer:
            self._retry_timer.cancel()
        self._retry_timer = None
        self._delay_s = None
        self._patient_until = asyncio.get_running_loop().time() + _START_KILL_GRACE_S


def _create_internal_error(error: BaseException) -> ModelUnavailable:
    trace = "".join(traceback.format_exception(error))
    return ModelUnavailable(f"A worker failed because of an internal error: {error!r}.", detail=trace)
