"""The places of a pool's workers, of which there may be more for a while. It must not know calls."""

import asyncio
from collections.abc import Callable

from deepaas.workers.slot import Hooks, Slot, on_its_own
from deepaas.workers.worker import State, Worker


class Places:
    """The places for a pool's workers, `least` at first."""

    def __init__(self, make_worker: Callable[[], Worker], hooks: Hooks, least: int) -> None:
        self._make_worker = make_worker
        self._hooks = hooks
        self._least = least
        self._slots = [self._new_slot() for _ in range(least)]
        self._emptying: set[asyncio.Task[None]] = set()

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

    async def add(self) -> None:
        """Have one more place, with a worker. Raise `ModelUnavailable`, without it, when that fails."""
        slot = self._new_slot()
        self._slots.append(slot)
        try:
            await slot.fill()
        except BaseException:
            self._slots.remove(slot)
            raise

    def remove(self, worker: Worker) -> None:
        """Have one place less, the one of a worker that holds no call; the worker ends."""
        self._remove(next(slot for slot in self._slots if slot.worker is worker))

    def remove_empty(self) -> None:
        """Have no place whose worker has died and has no successor yet."""
        for slot in [slot for slot in self._slots if slot.worker is None]:
            self._remove(slot)

    def _remove(self, slot: Slot) -> None:
        self._slots.remove(slot)
        emptying = on_its_own(slot.empty())
        self._emptying.add(emptying)
        emptying.add_done_callback(self._emptying.discard)

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
        """End the workers, and keep the places empty, of which there are as many as at first."""
        await asyncio.gather(*(slot.empty() for slot in self._slots), *self._emptying)
        del self._slots[self._least :]

    def _new_slot(self) -> Slot:
        return Slot(self._make_worker, self._hooks)
