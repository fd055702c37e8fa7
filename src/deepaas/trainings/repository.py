"""Asynchronous access to the training store, with queue positions."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from deepaas.errors import StoreUnavailable, TrainingNotFound
from deepaas.log import get_logger
from deepaas.thread_pools import DATABASE_EXECUTOR, run_in_executor
from deepaas.trainings.record import TrainingRecord, TrainingState
from deepaas.trainings.store import TrainingStore

_RETRY_INTERVAL_S = 2.0
_COUNT_TIMEOUT_S = 1.0
_log = get_logger(__name__)
_P = ParamSpec("_P")
_T = TypeVar("_T")


class TrainingRepository:
    """Calls the store in threads, and adds queue positions to queued trainings."""

    def __init__(self, store: TrainingStore) -> None:
        self.store = store
        self._counting: dict[str, asyncio.Task[dict[TrainingState, int]]] = {}

    async def run_in_thread(self, method: Callable[_P, _T], *arguments: _P.args, **values: _P.kwargs) -> _T:
        """Call a method of the store, which may wait for a disk or a network, in a thread."""
        return await run_in_executor(DATABASE_EXECUTOR, method, *arguments, **values)

    async def run_with_retries(
        self, method: Callable[_P, _T], *arguments: _P.args, **values: _P.kwargs
    ) -> _T:
        """Like `run_in_thread`, but retry while the store is unavailable."""
        while True:
            try:
                return await self.run_in_thread(method, *arguments, **values)
            except StoreUnavailable as error:
                _log.warning("%s Retrying: %s", error, error.__cause__)
                await asyncio.sleep(_RETRY_INTERVAL_S)

    async def list_for_model(self, model: str, limit: int | None = None) -> list[TrainingRecord]:
        """Return the trainings of a model, or its `limit` newest ones, oldest first."""
        trainings = await self.run_in_thread(self.store.list_for_model, model, limit)
        return await self.with_queue_positions(trainings)

    async def get(self, model: str, uuid: str) -> TrainingRecord:
        """Return a training of a model. Raise `TrainingNotFound`."""
        training = await self.run_in_thread(self.store.get, uuid)
        if training is None or training.model != model:
            raise TrainingNotFound(f"The model '{model}' has no training '{uuid}'.")
        return (await self.with_queue_positions([training]))[0]

    async def count_by_state(self, model: str) -> dict[TrainingState, int] | None:
        """Return the number of a model's trainings by state, or None if the store is slow or unavailable."""
        counting = self._counting.get(model)
        if counting is None or counting.done():
            # However often this is called, at most one thread per model waits for the store.
            counting = self._counting[model] = asyncio.create_task(
                self.run_in_thread(self.store.count_by_state, model)
            )
            counting.add_done_callback(_retrieve_exception)
        try:
            async with asyncio.timeout(_COUNT_TIMEOUT_S):
                return await asyncio.shield(counting)
        except (TimeoutError, StoreUnavailable):
            return None

    async def get_provenance(self, model: str, uuid: str) -> dict[str, Any]:
        """Return how a training was made: arguments, versions, files, packages. Raise `TrainingNotFound`."""
        training = await self.get(model, uuid)
        shown = training.to_v2_json()
        environment = await self.run_in_thread(self.store.get_environment, training.environment or "")
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

    async def with_queue_positions(self, trainings: list[TrainingRecord]) -> list[TrainingRecord]:
        """Add to queued trainings their position in their server's queue, from 1."""
        if not any(training.state is TrainingState.QUEUED for training in trainings):
            return trainings
        queues: dict[str, list[str]] = {}
        for unfinished in await self.run_in_thread(self.store.list_unfinished):
            if unfinished.state is TrainingState.QUEUED:
                queues.setdefault(unfinished.server, []).append(unfinished.uuid)
        return [_with_queue_position(training, queues.get(training.server, [])) for training in trainings]


def _retrieve_exception(task: asyncio.Task[Any]) -> None:
    """Retrieve the task's exception, so that asyncio does not log it as never retrieved."""
    if not task.cancelled():
        task.exception()


def _with_queue_position(training: TrainingRecord, queue: list[str]) -> TrainingRecord:
    if training.uuid not in queue:
        return training
    return dataclasses.replace(training, queue_position=queue.index(training.uuid) + 1)
