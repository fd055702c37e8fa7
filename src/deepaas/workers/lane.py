"""The lane of trainings that need the machine for themselves: workers are stopped while one runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

from deepaas.errors import ModelUnavailable
from deepaas.workers.pool import Pool

_RETRY_AFTER_S = 10.0


class ExclusiveLane:
    """Stops pools while it is taken, by one training or by several."""

    def __init__(self, pools: Iterable[Pool]) -> None:
        self._pools = list(pools)
        self._takers = 0
        self._is_taken = False
        self._changing = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Stop the workers on entering, and start them on leaving."""
        self._takers += 1
        try:
            async with self._changing:
                await self._stop_workers()
            yield
        finally:
            self._takers -= 1
            async with self._changing:
                if not self._takers:
                    self._is_taken = False
                    await asyncio.gather(*(pool.resume() for pool in self._pools))

    async def _stop_workers(self) -> None:
        if not self._is_taken:
            reason = "The model's workers are stopped while a training runs (--train-lane exclusive)."
            refusal = ModelUnavailable(reason, retry_after_s=_RETRY_AFTER_S)
            await asyncio.gather(*(pool.pause(refusal) for pool in self._pools))
            self._is_taken = True
