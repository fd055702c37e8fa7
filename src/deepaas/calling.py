"""Runs one call of a model in a pool, and raises its failure."""

import sys
from collections.abc import Mapping
from typing import Any

from deepaas.config.settings import Settings
from deepaas.errors import BadRequest, InvalidArguments, InvalidJson, PredictionFailed
from deepaas.log import get_logger
from deepaas.messages import Body, Call, Envelope, Failure, WorkerConfig, encode_in_steps
from deepaas.messages import encode as encode_at_once
from deepaas.model.model import Model
from deepaas.scratch import ScratchFolder
from deepaas.workers.pool import Pool
from deepaas.workers.pool_config import PoolConfig
from deepaas.workers.result_stream import ResultStream

_log = get_logger(__name__)


async def predict(pool: Pool, call: bytes, scratch: ScratchFolder) -> Body | ResultStream:
    """Return what comes of a call of `predict`, as `encode_call` returns it.

    Raise `BadRequest`, `InvalidArguments`, `PredictionFailed`, or what `Pool.submit` raises.
    """
    try:
        outcome = await pool.submit(call, scratch)
    except BaseException:
        # Whatever became of the call, it may have left files.
        scratch.mark_used()
        raise
    if isinstance(outcome, Failure):
        scratch.mark_used()
        if outcome.validation_errors is not None:
            raise (
                InvalidArguments(outcome.validation_errors)
                if outcome.validation_errors
                else InvalidJson(outcome.message)
            )
        raise PredictionFailed(outcome.message, status=outcome.status, detail=outcome.traceback)
    if isinstance(outcome, Body) and outcome.path:
        scratch.mark_used()
    return outcome


def encode_call(call: Call, raw: Mapping[str, Any], *, is_large: bool = False) -> bytes:
    """Return the call as bytes; with raw arguments, when what they became cannot be pickled.

    A large one is encoded in steps, between which other threads can run. Raise `BadRequest` for arguments
    that are nested too deeply.
    """
    encode = encode_in_steps if is_large else encode_at_once
    try:
        return encode(call)
    except Exception as error:  # noqa: BLE001 - the author's values may refuse to be pickled in any way
        _log.debug("The arguments are validated once more where they are used: %s", error)
    try:
        return encode(call._replace(arguments=dict(raw), validated=False))
    except RecursionError as error:
        raise BadRequest("The arguments are nested too deeply.") from error


def build_worker_config(name: str, target: str, settings: Settings) -> WorkerConfig:
    """Return the first message to a process of the model."""
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
    """Return what a pool of the model may allow itself."""
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
