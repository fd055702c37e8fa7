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
    """Creates pools and training executors for one place to run processes.

    Use it as an asynchronous context manager, around the objects it creates: entering connects to the
    cluster, if there is one, and raises `SettingsError` when that fails.
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
        """Return a model's pool, not started; `on_output` receives the output of its workers."""

    def create_training_executor(self, store: TrainingStore) -> TrainingExecutor:
        """Return an executor for trainings whose records are in `store`."""
