"""The local engine: workers and trainings are processes on the server's machine."""

from collections.abc import Callable
from typing import Self

from deepaas.messages import WorkerConfig
from deepaas.metrics import PoolMetrics
from deepaas.trainings.local_executor import LocalExecutor
from deepaas.trainings.store import TrainingStore
from deepaas.workers.pool import Pool
from deepaas.workers.pool_config import PoolConfig


class LocalEngine:
    """Runs everything on this machine."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def create_pool(
        self,
        start: WorkerConfig,
        limits: PoolConfig,
        metrics: PoolMetrics,
        on_output: Callable[[bytes], None] | None,
    ) -> Pool:
        """Return a model's pool, not started."""
        return Pool(start, limits, metrics, on_output)

    def create_training_executor(self, store: TrainingStore) -> LocalExecutor:
        """Return an executor that runs trainings as local processes."""
        return LocalExecutor(store)
