"""The engine of a Ray cluster: what it makes, and with which resources."""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Self

from deepaas.engines.on_ray.cluster import Cluster, actor_options
from deepaas.engines.on_ray.process import RayProcess
from deepaas.engines.on_ray.running import RayRunning
from deepaas.messages import Start
from deepaas.metrics import PoolMetrics
from deepaas.settings import Settings
from deepaas.trainings.store import Store
from deepaas.workers.limits import Limits
from deepaas.workers.pool import Pool
from deepaas.workers.process import Process


class RayEngine:
    """Runs everything on the nodes of a cluster."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cluster = Cluster(settings.ray_address)

    async def __aenter__(self) -> Self:
        await self._cluster.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._cluster.__aexit__(*exception)

    def pool(
        self,
        start: Start,
        limits: Limits,
        metrics: PoolMetrics,
        on_output: Callable[[bytes], None] | None,
    ) -> Pool:
        """Return the workers of a model, yet to be started, each held by an actor."""
        options = actor_options(self._settings.cpus_per_worker, self._settings.gpus_per_worker)
        # A node has no log file of ours: its lines come to the server, which knows where they go.
        elsewhere = start._replace(log_file="")
        make = functools.partial(self._process, options)
        return Pool(elsewhere, limits, metrics, on_output or self._write, make)

    def running(self, store: Store) -> RayRunning:
        """Return what runs the processes of trainings."""
        return RayRunning(store, actor_options(self._settings.train_cpus, self._settings.train_gpus))

    def _process(self, options: dict[str, object], on_output: Callable[[bytes], None] | None) -> Process:
        return RayProcess(options, on_output or self._write)

    def _write(self, printed: bytes) -> None:
        """Write what a worker printed where its lines go on this machine."""
        if self._settings.log_file:
            with Path(self._settings.log_file).open("ab") as file:
                file.write(printed)
        else:
            os.write(sys.stderr.fileno(), printed)
