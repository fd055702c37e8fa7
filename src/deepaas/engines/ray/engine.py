"""The Ray engine: creates pools and training executors whose processes run on a cluster."""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Self

from deepaas.config.settings import Settings
from deepaas.engines.ray.cluster import Cluster, actor_options
from deepaas.engines.ray.training_executor import RayExecutor
from deepaas.engines.ray.worker_process import RayProcess
from deepaas.messages import WorkerConfig
from deepaas.metrics import PoolMetrics
from deepaas.trainings.store import TrainingStore
from deepaas.workers.pool import Pool
from deepaas.workers.pool_config import PoolConfig
from deepaas.workers.process import WorkerProcess


class RayEngine:
    """Runs workers and trainings on the nodes of a Ray cluster."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cluster = Cluster(settings.ray_address)

    async def __aenter__(self) -> Self:
        await self._cluster.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._cluster.__aexit__(*exception)

    def create_pool(
        self,
        start: WorkerConfig,
        limits: PoolConfig,
        metrics: PoolMetrics,
        on_output: Callable[[bytes], None] | None,
    ) -> Pool:
        """Return a pool that is not started; an actor holds each of its workers."""
        options = actor_options(self._settings.worker_cpus, self._settings.worker_gpus)
        # Workers on nodes log to their output, which the server writes to its own log file.
        remote_config = start._replace(log_file="")
        make = functools.partial(self._create_process, options)
        return Pool(remote_config, limits, metrics, on_output or self._write_output, make)

    def create_training_executor(self, store: TrainingStore) -> RayExecutor:
        """Return an executor that runs each training in a detached actor."""
        return RayExecutor(store, actor_options(self._settings.train_cpus, self._settings.train_gpus))

    def _create_process(
        self, options: dict[str, object], on_output: Callable[[bytes], None] | None
    ) -> WorkerProcess:
        return RayProcess(options, on_output or self._write_output)

    def _write_output(self, printed: bytes) -> None:
        """Append a worker's output to the server's log file, or write it to standard error."""
        if self._settings.log_file:
            with Path(self._settings.log_file).open("ab") as file:
                file.write(printed)
        else:
            os.write(sys.stderr.fileno(), printed)
