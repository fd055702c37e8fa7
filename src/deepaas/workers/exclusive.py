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
        self._lock = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[None]:
        """Stop the workers on entering; start them again when the last holder leaves."""
        reason = "The model's workers are stopped while a training runs (--train-mode exclusive)."
        refusal = ModelUnavailable(reason, retry_after_s=_RETRY_AFTER_S)
        self._holder_count += 1
        try:
            async with self._lock:
                await asyncio.gather(*(pool.pause(refusal) for pool in self._pools))
            yield
        finally:
            self._holder_count -= 1
            async with self._lock:
                if not self._holder_count:
                    await asyncio.gather(*(pool.resume() for pool in self._pools))
