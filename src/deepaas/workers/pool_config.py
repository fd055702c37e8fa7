"""Configuration of a pool and of its worker processes, built from the settings."""

import sys
from typing import NamedTuple

from deepaas.config.settings import Settings, WorkerRange
from deepaas.messages import Envelope, WorkerConfig


class PoolConfig(NamedTuple):
    """Limits of a pool.

    Workers above the minimum are stopped after `scale_down_after_s` idle seconds. A batch has up to
    `max_batch_size` calls and waits up to `batch_timeout_s` to fill. `start_timeout_s` limits the start of a
    worker, `predict_timeout_s` the time of a call; 0 is no limit. `max_queue` limits the queued calls. With
    `cancel_on_disconnect`, a worker is killed if the client of its call disconnects.
    """

    workers: WorkerRange
    scale_down_after_s: float
    max_batch_size: int
    batch_timeout_s: float
    start_timeout_s: float
    predict_timeout_s: float
    max_queue: int
    cancel_on_disconnect: bool


def build_worker_config(name: str, target: str, settings: Settings) -> WorkerConfig:
    """Return the configuration of the model's worker and training processes."""
    return WorkerConfig(
        name=name,
        target=target,
        python_path=list(sys.path),
        warm=settings.warm,
        envelope=Envelope(settings.predictions),
        log_level="DEBUG" if settings.debug else settings.log_level,
        log_file=settings.log_file,
        log_format=settings.log_format,
        log_to_stderr=settings.debug_endpoint,
    )


def build_pool_config(settings: Settings) -> PoolConfig:
    """Return the limits of a model's pool."""
    return PoolConfig(
        workers=settings.workers,
        scale_down_after_s=settings.scale_down_after,
        max_batch_size=settings.max_batch_size,
        batch_timeout_s=settings.batch_timeout,
        start_timeout_s=settings.worker_start_timeout,
        predict_timeout_s=settings.predict_timeout,
        max_queue=settings.max_queue,
        cancel_on_disconnect=settings.cancel_on_disconnect,
    )


def build_describer_config(settings: Settings) -> PoolConfig:
    """Return the limits of a describer: one process, which runs one call at a time."""
    return build_pool_config(settings)._replace(
        workers=WorkerRange(1, 1), max_batch_size=1, predict_timeout_s=0.0, cancel_on_disconnect=False
    )
