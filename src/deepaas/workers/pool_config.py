"""Configuration of a pool of workers."""

from typing import NamedTuple

from deepaas.config.settings import WorkerRange


class PoolConfig(NamedTuple):
    """What a pool allows itself.

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
