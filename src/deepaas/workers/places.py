"""The places of a pool's workers. It must not know calls."""

import asyncio
from collections.abc import Callable

from deepaas.workers.process import State, Worker
from deepaas.workers.slot import Hooks, Slot


class Places:
    """As many places for workers as the pool has."""

    def __init__(self, make_worker: Callable[[], Worker], hooks: Hooks, count: int) -> None:
        self._slots = [Slot(make_worker, hooks) for _ in range(count)]

    def __len__(self) -> int:
        return len(self._slots)

    def ready(self) -> list[Worker]:
        """Return the workers to send calls to."""
        workers = [slot.worker for slot in self._slots]
        return [worker for worker in workers if worker is not None and worker.state is State.READY]

    def workers(self) -> list[Worker]:
        """Return the workers that may hold calls, those that are leaving too."""
        return [worker for slot in self._slots for worker in slot.workers]

    async def fill(self) -> None:
        """Start all workers. Raise `ModelUnavailable`, without any, when one cannot be started."""
        filled = await asyncio.gather(*(slot.fill() for slot in self._slots), return_exceptions=True)
        problem = next((result for result in filled if isinstance(result, BaseException)), None)
        if problem:
            await self.empty()
            raise problem

    async def replace(self) -> None:
        """Replace the workers one by one, each by one that is warm already.

        Raise `ModelUnavailable`, with the workers as they were, when one cannot be started.
        """
        for slot in self._slots:
            await slot.replace()

    def keep(self) -> None:
        """Keep all places filled from now on, without waiting for it."""
        for slot in self._slots:
            slot.keep()

    async def empty(self) -> None:
        """End the workers, and keep the places empty."""
        await asyncio.gather(*(slot.empty() for slot in self._slots))
