"""Interface of an engine."""

from collections.abc import Callable
from typing import Protocol, Self

from deepaas.messages import WorkerConfig
from deepaas.metrics import PoolMetrics
from deepaas.trainings.executor import TrainingExecutor
from deepaas.trainings.store import TrainingStore
from deepaas.workers.pool import Pool
from deepaas.workers.pool_config import PoolConfig


class Engine(Protocol):
    """Where processes run.

    Use it as an asynchronous context manager, around all that it makes: entering connects to what it needs,
    and raises `SettingsError` when that cannot be done.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    def create_pool(
        self,
        start: WorkerConfig,
        limits: PoolConfig,
        metrics: PoolMetrics,
        on_output: Callable[[bytes], None] | None,
    ) -> Pool:
        """Return the workers of a model, yet to be started; `on_output` gets what they print, if wanted."""

    def create_training_executor(self, store: TrainingStore) -> TrainingExecutor:
        """Return what runs the processes of trainings whose records are in `store`."""
