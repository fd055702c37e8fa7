"""The records of trainings for those who must not block: the store, asked outside the loop.

It must not know what runs.
"""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from deepaas.errors import StoreUnavailable, TrainingNotFound
from deepaas.log import get_logger
from deepaas.threads import DATABASE, run_in
from deepaas.trainings.store import Store
from deepaas.trainings.training import State, Training

_RETRY_S = 2.0
_LONGEST_COUNT_S = 1.0
_log = get_logger(__name__)
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Records:
    """Asks the store. Of trainings that are read here, queued ones say how many stand before them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._counting: dict[str, asyncio.Task[dict[State, int]]] = {}

    async def ask(self, method: Callable[_P, _T], *arguments: _P.args, **values: _P.kwargs) -> _T:
        """Call any method of the store, which may have to wait for a disk or a network."""
        return await run_in(DATABASE, method, *arguments, **values)

    async def ask_patiently(self, method: Callable[_P, _T], *arguments: _P.args, **values: _P.kwargs) -> _T:
        """Do the same as `ask`, again and again while the store cannot be used."""
        while True:
            try:
                return await self.ask(method, *arguments, **values)
            except StoreUnavailable as error:
                _log.warning("%s Trying again: %s", error, error.__cause__)
                await asyncio.sleep(_RETRY_S)

    async def of_model(self, model: str) -> list[Training]:
        """Return all trainings of a model, oldest first."""
        return await self.positioned(await self.ask(self.store.of_model, model))

    async def get(self, model: str, uuid: str) -> Training:
        """Return a training of a model. Raise `TrainingNotFound`."""
        training = await self.ask(self.store.get, uuid)
        if training is None or training.model != model:
            raise TrainingNotFound(f"The model '{model}' has no training '{uuid}'.")
        return (await self.positioned([training]))[0]

    async def count(self, model: str) -> dict[State, int] | None:
        """Return the number of a model's trainings in each state, or None when the store takes too long."""
        counting = self._counting.get(model)
        if counting is None or counting.done():
            # However often this is asked, one thread at a time waits for the store.
            counting = self._counting[model] = asyncio.create_task(self.ask(self.store.count, model))
            counting.add_done_callback(_note_exception)
        try:
            async with asyncio.timeout(_LONGEST_COUNT_S):
                return await asyncio.shield(counting)
        except (TimeoutError, StoreUnavailable):
            return None

    async def provenance(self, model: str, uuid: str) -> dict[str, Any]:
        """Return all that tells how a training came to be, as one document. Raise `TrainingNotFound`."""
        training = await self.get(model, uuid)
        shown = training.as_v2()
        environment = await self.ask(self.store.environment, training.environment or "")
        return {
            "training": {
                name: shown.get(name) for name in ("uuid", "date", "args", "status", "result", "message")
            },
            "model": {"name": training.model, "version": training.model_version},
            "uploads": training.uploads or {},
            "artifacts": training.artifacts or [],
            "environment": environment,
            "host": training.host,
            "started": training.started,
            "finished": training.finished,
        }

    async def positioned(self, trainings: list[Training]) -> list[Training]:
        """Return trainings with the places of the queued ones in their servers' queues, from 1."""
        if not any(training.state is State.QUEUED for training in trainings):
            return trainings
        queues: dict[str, list[str]] = {}
        for waiting in await self.ask(self.store.unfinished):
            if waiting.state is State.QUEUED:
                queues.setdefault(waiting.server, []).append(waiting.uuid)
        return [_positioned(training, queues.get(training.server, [])) for training in trainings]


def _note_exception(task: asyncio.Task[Any]) -> None:
    """Take note of an error that nobody waits for any more, so that asyncio does not log it."""
    if not task.cancelled():
        task.exception()


def _positioned(training: Training, queue: list[str]) -> Training:
    if training.uuid not in queue:
        return training
    return dataclasses.replace(training, queue_position=queue.index(training.uuid) + 1)
