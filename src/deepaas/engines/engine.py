"""What the product asks of an engine. It must not know which engines there are."""

from collections.abc import Callable
from typing import Protocol, Self

from deepaas.messages import Start
from deepaas.metrics import PoolMetrics
from deepaas.trainings.running import Running
from deepaas.trainings.store import Store
from deepaas.workers.limits import Limits
from deepaas.workers.pool import Pool


class Engine(Protocol):
    """Where processes run.

    Use it as an asynchronous context manager, around all that it makes: entering connects to what it needs,
    and raises `SettingsError` when that cannot be done.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    def pool(
        self,
        start: Start,
        limits: Limits,
        metrics: PoolMetrics,
        on_output: Callable[[bytes], None] | None,
    ) -> Pool:
        """Return the workers of a model, yet to be started; `on_output` gets what they print, if wanted."""

    def running(self, store: Store) -> Running:
        """Return what runs the processes of trainings whose records are in `store`."""
