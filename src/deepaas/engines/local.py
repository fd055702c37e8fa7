"""The engine of this machine: a worker, and a training, is a process beside the server."""

from collections.abc import Callable
from typing import Self

from deepaas.messages import Start
from deepaas.metrics import PoolMetrics
from deepaas.trainings.local import LocalRunning
from deepaas.trainings.store import Store
from deepaas.workers.limits import Limits
from deepaas.workers.pool import Pool


class LocalEngine:
    """Runs everything on this machine."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def pool(
        self,
        start: Start,
        limits: Limits,
        metrics: PoolMetrics,
        on_output: Callable[[bytes], None] | None,
    ) -> Pool:
        """Return the workers of a model, yet to be started."""
        return Pool(start, limits, metrics, on_output)

    def running(self, store: Store) -> LocalRunning:
        """Return what runs the processes of trainings."""
        return LocalRunning(store)
