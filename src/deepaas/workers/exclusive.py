"""Stops a pool's workers while a training needs the machine for itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

from deepaas.errors import ModelUnavailable
from deepaas.workers.pool import Pool

_RETRY_AFTER_S = 10.0


class ExclusiveAccess:
    """Pauses pools while at least one training holds it."""

    def __init__(self, pools: Iterable[Pool]) -> None:
        self._pools = list(pools)
        self._holder_count = 0
        self._has_stopped_workers = False
        self._lock = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[None]:
        """Stop the workers on entering; start them again when the last holder leaves."""
        self._holder_count += 1
        try:
            async with self._lock:
                await self._stop_workers()
            yield
        finally:
            self._holder_count -= 1
            async with self._lock:
                if not self._holder_count:
                    self._has_stopped_workers = False
                    await asyncio.gather(*(pool.resume() for pool in self._pools))

    async def _stop_workers(self) -> None:
        if not self._has_stopped_workers:
            reason = "The model's workers are stopped while a training runs (--train-mode exclusive)."
            refusal = ModelUnavailable(reason, retry_after_s=_RETRY_AFTER_S)
            await asyncio.gather(*(pool.pause(refusal) for pool in self._pools))
            self._has_stopped_workers = True
