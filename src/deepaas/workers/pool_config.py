"""Configuration of a pool and of its worker processes, taken from the settings."""

import sys
from typing import NamedTuple

from deepaas.config.settings import Settings, WorkerRange
from deepaas.messages import Envelope, WorkerConfig
from deepaas.model.model import Model


class PoolConfig(NamedTuple):
    """The limits of a pool.

    There are as many workers as `workers` says; one beyond the least may be idle for `scale_down_after_s`.
    `max_batch_size` calls may be run together, and wait `batch_timeout_s` for each other. `start_timeout_s`
    is the longest that a worker may take to be warm, `predict_timeout_s` that a call may run, both 0 for any
    time; `max_queue` is the most calls that wait. With `cancel_on_disconnect`, a worker whose caller has left
    is killed.
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
    """Return the first message to a worker process, or a training process, of the model."""
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


def build_pool_config(model: Model, settings: Settings) -> PoolConfig:
    """Return the limits of a pool of the model."""
    return PoolConfig(
        workers=settings.workers,
        scale_down_after_s=settings.scale_down_after,
        max_batch_size=settings.max_batch_size if model.implements("predict_batch") else 1,
        batch_timeout_s=settings.batch_timeout,
        start_timeout_s=settings.worker_start_timeout,
        predict_timeout_s=settings.predict_timeout,
        max_queue=settings.max_queue,
        cancel_on_disconnect=settings.cancel_on_disconnect,
    )
