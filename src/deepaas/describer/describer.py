"""The server's handle of a model's describer: description, metadata, and validation by user code."""

import asyncio
import contextvars
import enum
import pickle
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from deepaas.describer.described_model import DescribedModel
from deepaas.describer.description import (
    DESCRIBE,
    GET_METADATA,
    MAX_BYTES,
    decode_description,
)
from deepaas.describer.metadata_cache import MetadataCache
from deepaas.errors import DeepaasError, ModelUnavailable, PredictionFailed, PredictionTimeout
from deepaas.log import get_logger, request_id
from deepaas.messages import Body, Call, Failure, decode_plain_value, encode, encode_call
from deepaas.model.json_encoding import loads
from deepaas.thread_pools import LARGE_BYTES, run_by_size
from deepaas.workers.pool import Pool, to_error

_MAX_WAIT_S = 30.0
"""How long a request waits for a model that is being loaded."""
_log = get_logger(__name__)


class DescriberLifetime(enum.StrEnum):
    """How long a describer runs."""

    KEEP = "keep"
    """As long as the server."""
    EXIT = "exit"
    """Until it has sent description and metadata, if the server can validate all arguments."""


class ValidatedArguments(NamedTuple):
    """Arguments that user code has validated: pickled, because the server must not decode them.

    `pickled` is empty if they cannot be pickled. `shown` are the arguments of a training for its record.
    """

    pickled: bytes
    shown: Mapping[str, Any]
    has_password: bool


class Describer:
    """Describes one model, through the only worker of `pool`, which runs `deepaas.describer.child`.

    Use it as an asynchronous context manager: leaving stops the process.
    """

    def __init__(
        self,
        name: str,
        pool: Pool,
        lifetime: DescriberLifetime,
        *,
        metadata_timeout_s: float,
        validation_timeout_s: float,
    ) -> None:
        self.described: DescribedModel | None = None
        """The model, once it is described."""
        self._name = name
        self._pool = pool
        self._lifetime = lifetime
        self._has_exited = False
        self._describing: asyncio.Task[None] | None = None
        self._exiting: asyncio.Task[None] | None = None
        self._validation_timeout_s = validation_timeout_s
        self._metadata = MetadataCache(name, self._request_metadata, metadata_timeout_s)

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        for task in (self._describing, self._exiting):
            if task:
                task.cancel()
        self._metadata.close()
        await self._pool.__aexit__(*exception)

    async def start(self) -> DescribedModel:
        """Start the process, and return the described model.

        Raise `ModelUnavailable`; the process is then started again in the background.
        """
        await self._pool.start()
        return await self._describe()

    async def wait_ready(self) -> None:
        """Wait until the process accepts calls."""
        await self._pool.wait_ready()

    async def describe(self) -> DescribedModel:
        """Return the model; wait for its description, but not for longer than `_MAX_WAIT_S`.

        Raise `ModelUnavailable` if there is none.
        """
        try:
            async with asyncio.timeout(_MAX_WAIT_S):
                return await self._describe()
        except TimeoutError:
            raise ModelUnavailable(self._format_loading(), retry_after_s=_MAX_WAIT_S) from None

    async def reload(self) -> DescribedModel:
        """Load the model in a new process, and return its new description. Raise `ModelUnavailable`.

        The caller sets `described` when it has replaced the workers.
        """
        if self._has_exited:
            await self._pool.resume()
            self._has_exited = False
        else:
            await self._pool.reload()
        described = await self._request_description()
        self._metadata.reset()
        await self._exit_if_done(described)
        return described

    async def read_metadata(self) -> dict[str, Any]:
        """Return the metadata that the API publishes; on failure, the last metadata, or the reason."""
        return await self._metadata.read()

    async def validate(self, function: str, raw: Mapping[str, Any], size_bytes: int) -> ValidatedArguments:
        """Validate the arguments of `function` in the describer.

        Raise `InvalidArguments`, `PredictionFailed`, `PredictionTimeout` or `ModelUnavailable`.
        """
        call = Call(function, dict(raw), False, None, "", request_id.get())  # noqa: FBT003
        encoded = await run_by_size(size_bytes, encode_call, call, raw, is_large=size_bytes > LARGE_BYTES)
        try:
            content = await self._submit(encoded, self._validation_timeout_s)
        except PredictionTimeout:
            raise PredictionTimeout(
                f"The model took longer than {self._validation_timeout_s:g} s to validate the arguments."
            ) from None
        return _decode_validated(content)

    def unavailable_reason(self) -> str | None:
        """Return why the model is not described, or its arguments cannot be validated; `None` if they can."""
        if self.described and not self.described.runs_user_code:
            return None
        refusal = self._pool.get_refusal()
        if refusal:
            return refusal.message
        return None if self.described else self._format_loading()

    def _format_loading(self) -> str:
        return f"The model '{self._name}' is being loaded."

    async def _describe(self) -> DescribedModel:
        """Return the model; all callers share one call of the describer."""
        if self.described is None:
            if self._describing is None or self._describing.done():
                self._describing = asyncio.create_task(self._describe_first(), context=contextvars.Context())
                self._describing.add_done_callback(_retrieve_exception)
            await asyncio.shield(self._describing)
        assert self.described
        return self.described

    async def _describe_first(self) -> None:
        self.described = await self._request_description()
        self._metadata.refresh()
        self._exiting = asyncio.create_task(self._exit_if_done(self.described))

    async def _request_description(self) -> DescribedModel:
        """Raise `ModelUnavailable`, whatever is wrong with the description."""
        try:
            description = decode_description(
                await self._submit(encode(Call(DESCRIBE, {}, True, None, "", "")))  # noqa: FBT003
            )
            described = DescribedModel(description._replace(name=self._name))
        except ModelUnavailable:
            raise
        except (DeepaasError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelUnavailable(f"The model '{self._name}' cannot be used: {error}") from error
        for finding in description.findings:
            _log.warning("Model %r: %s", self._name, finding)
        return described

    async def _request_metadata(self, timeout_s: float) -> dict[str, Any]:
        content = await self._submit(encode(Call(GET_METADATA, {}, True, None, "", "")), timeout_s)  # noqa: FBT003
        metadata = await run_by_size(len(content), loads, content)
        if len(content) > MAX_BYTES or not isinstance(metadata, dict):
            raise PredictionFailed("The describer sent invalid metadata.")
        return metadata

    async def _submit(self, call: bytes, timeout_s: float = 0.0) -> bytes:
        """Run a call whose caller may leave: the describer, unlike a worker, must not be killed then."""
        running = asyncio.ensure_future(self._pool.submit(call, timeout_s=timeout_s))
        running.add_done_callback(_retrieve_exception)
        outcome = await asyncio.shield(running)
        if isinstance(outcome, Failure):
            raise to_error(outcome)
        assert isinstance(outcome, Body)
        return outcome.content

    async def _exit_if_done(self, described: DescribedModel) -> None:
        """Stop the process if it is not needed any more."""
        if self._lifetime is DescriberLifetime.KEEP:
            return
        if described.runs_user_code:
            _log.warning(
                "The describer of %r keeps running in spite of --describer exit: "
                "only it can validate the model's own kinds of fields",
                self._name,
            )
            return
        if not await self._metadata.make_static():
            return
        self._has_exited = True
        await self._pool.pause(
            ModelUnavailable(f"The describer of '{self._name}' has exited (--describer exit).")
        )


def _decode_validated(content: bytes) -> ValidatedArguments:
    """Decode what `DescriberExecutor` sends. Raise `PredictionFailed` for anything else."""
    try:
        pickled, shown, has_password = decode_plain_value(content)
        if isinstance(pickled, bytes) and isinstance(has_password, bool):
            return ValidatedArguments(pickled, dict(loads(shown)), has_password)
    except (ValueError, TypeError, pickle.UnpicklingError, EOFError) as error:
        raise PredictionFailed(f"The describer sent an invalid reply: {error}") from error
    raise PredictionFailed("The describer sent an invalid reply.")


def _retrieve_exception(finished: asyncio.Future[Any]) -> None:
    """Do nothing with an error of a call whose caller has left; asyncio would log it."""
    if not finished.cancelled():
        finished.exception()
