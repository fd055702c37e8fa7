"""One call of a model's function on its way to a process: encoded, run by the pool, its failure raised.

It must not know who calls, nor HTTP.
"""

import sys
from collections.abc import Mapping
from typing import Any

from deepaas.errors import BadRequest, InvalidArguments, InvalidJson, PredictionFailed
from deepaas.files import Scratch
from deepaas.log import get_logger
from deepaas.messages import Body, Call, Envelope, Failed, Start, encode_in_steps
from deepaas.messages import encode as encode_at_once
from deepaas.model.model import Model
from deepaas.settings import Settings
from deepaas.workers.limits import Limits
from deepaas.workers.pool import Pool
from deepaas.workers.stream import Stream

_log = get_logger(__name__)


async def predict(pool: Pool, call: bytes, scratch: Scratch) -> Body | Stream:
    """Return what comes of a call of `predict`, as `encoded` returns it.

    Raise `BadRequest`, `InvalidArguments`, `PredictionFailed`, or what `Pool.run` raises.
    """
    try:
        outcome = await pool.run(call, scratch)
    except BaseException:
        # Whatever became of the call, it may have left files.
        scratch.note_use()
        raise
    if isinstance(outcome, Failed):
        scratch.note_use()
        if outcome.problems is not None:
            raise InvalidArguments(outcome.problems) if outcome.problems else InvalidJson(outcome.message)
        raise PredictionFailed(outcome.message, status=outcome.status, detail=outcome.traceback)
    if isinstance(outcome, Body) and outcome.path:
        scratch.note_use()
    return outcome


def encoded(call: Call, raw: Mapping[str, Any], *, is_large: bool = False) -> bytes:
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


def start_of(name: str, target: str, settings: Settings) -> Start:
    """Return the first message to a process of the model."""
    return Start(
        name=name,
        target=target,
        python_path=list(sys.path),
        warm=settings.warm,
        envelope=Envelope(settings.predictions),
        log_level="DEBUG" if settings.debug else settings.log_level,
        log_file=settings.log_file,
        log_format=settings.log_format,
        repeats_log=settings.debug_endpoint,
    )


def limits_of(model: Model, settings: Settings) -> Limits:
    """Return what a pool of the model may allow itself."""
    return Limits(
        scale=settings.workers,
        scale_down_after_s=settings.scale_down_after,
        most_together=settings.max_batch_size if model.has("predict_batch") else 1,
        patience_s=settings.batch_wait / 1000,
        start_timeout_s=settings.start_timeout,
        predict_timeout_s=settings.predict_timeout,
        max_queue=settings.max_queue,
        cancel_on_disconnect=settings.cancel_on_disconnect,
    )
