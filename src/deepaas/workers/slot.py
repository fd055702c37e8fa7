"""A place for a worker, kept filled: whoever dies is replaced, whoever is replaced may finish first.

It must not know calls, but that a worker may hold some when it ends.
"""

import asyncio
import contextvars
import itertools
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from deepaas.errors import ModelUnavailable, WorkerInterrupted
from deepaas.log import get_logger
from deepaas.workers.worker import Worker

PATIENCE_S = 10.0
"""How long workers may be killed before they come to the model without that being a failure."""
_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 30.0
_log = get_logger(__name__)


class Hooks(NamedTuple):
    """What a slot tells its pool: that it holds a warm worker, that none could be started, that one ended."""

    on_ready: Callable[[], None]
    on_failure: Callable[[ModelUnavailable], None]
    on_end: Callable[[Worker, str], None]


class Slot:
    """A place for one worker at a time; `worker` is the one to send calls to, when there is one."""

    def __init__(self, make_worker: Callable[[], Worker], hooks: Hooks) -> None:
        self.worker: Worker | None = None
        self._make_worker = make_worker
        self._hooks = hooks
        self._attending: dict[Worker, asyncio.Task[None]] = {}
        self._refilling: asyncio.Task[None] | None = None
        self._is_kept = True

    @property
    def workers(self) -> list[Worker]:
        """All workers that may hold calls: the one in place, and those that were replaced."""
        return list(self._attending)

    async def fill(self) -> Worker | None:
        """Start a worker, put it in place when it is warm, and return the one that was there.

        Raise `ModelUnavailable`, with the place as it was, when none can be started.
        """
        worker = self._make_worker()
        try:
            await worker.start()
        except BaseException:
            worker.kill("not needed")
            await worker.stop()
            worker.close()
            raise
        return self._put(worker)

    async def replace(self) -> None:
        """Put a new worker in place; then let the old one answer what it holds, and end it."""
        old = await self.fill()
        if old:
            await old.leave()

    def keep(self) -> None:
        """Keep the place filled from now on, without waiting for it."""
        self._is_kept = True
        if self.worker is None and self._refilling is None:
            self._refilling = on_its_own(self._refill())

    async def empty(self) -> None:
        """End the workers, and keep the place empty."""
        self._is_kept = False
        refilling = self._refilling
        self._stop_refilling()
        if refilling:
            await asyncio.wait([refilling])
        workers = self._attending
        await asyncio.gather(*(worker.stop() for worker in workers))
        await asyncio.gather(*workers.values())

    def _put(self, worker: Worker) -> Worker | None:
        self._stop_refilling()
        old, self.worker = self.worker, worker
        self._attending[worker] = on_its_own(self._attend(worker))
        self._hooks.on_ready()
        return old

    async def _attend(self, worker: Worker) -> None:
        """Wait for the worker's end, see to what it leaves, and to a successor if it was in place."""
        reason = await worker.wait()
        if self.worker is worker:
            self.worker = None
            if self._is_kept:
                self.keep()
        self._hooks.on_end(worker, reason)
        await worker.stop()
        worker.close()
        del self._attending[worker]

    async def _refill(self) -> None:
        """Try to fill the place, again and again with growing pauses."""
        loop = asyncio.get_running_loop()
        patient_until = loop.time() + PATIENCE_S
        delay_s = _FIRST_DELAY_S
        for failures in itertools.count(1):
            try:
                await self.fill()
            except ModelUnavailable as error:
                if failures == 1 or (isinstance(error, WorkerInterrupted) and loop.time() < patient_until):
                    _log.warning("%s Trying again.", error)
                    continue
                _log.warning("%s Trying again in %g s.", error, delay_s)
                error.retry_after_s = delay_s
                self._hooks.on_failure(error.with_traceback(None))
            else:
                return
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)

    def _stop_refilling(self) -> None:
        refilling, self._refilling = self._refilling, None
        if refilling and refilling is not asyncio.current_task():
            refilling.cancel()


def on_its_own(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run `work` as a task: what it logs is not about the request that happened to begin it."""
    task = asyncio.create_task(work, context=contextvars.Context())
    task.add_done_callback(_log_failure)
    return task


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception():
        _log.error("A task of the server's own failed", exc_info=task.exception())
