"""The served models and their trainings, independent of HTTP."""

import asyncio
import contextlib
import contextvars
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

from deepaas.describer.described_model import DescribedModel
from deepaas.describer.describer import Describer, ValidatedArguments
from deepaas.describer.description import ModelDescription
from deepaas.engines.interface import Engine
from deepaas.errors import DeepaasError, EndpointDisabled, ModelNotFound, ModelUnavailable
from deepaas.log import get_logger, request_id, traceback_extra
from deepaas.messages import Body, Call, WorkerConfig, encode, encode_call
from deepaas.metrics import Metrics
from deepaas.model import loader
from deepaas.scratch import ScratchFolder, ScratchRoot
from deepaas.thread_pools import LARGE_BYTES, run_by_size
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.job import Job
from deepaas.trainings.record import TrainingRecord, display_arguments
from deepaas.trainings.scheduler import TrainingScheduler
from deepaas.workers.pool import Pool
from deepaas.workers.result_stream import ResultStream

_SLOW_START_S = 10.0
_RETRY_INTERVAL_S = 1.0
_log = get_logger(__name__)


class NegotiatedFormat(NamedTuple):
    """The response format negotiated with the client.

    `media_type` is one of the model's choices, `None` for JSON. If it has a wildcard, `requested_type` is the
    concrete type that the client requested, if any. With `prefers_events`, a stream without a media type is
    sent as server-sent events.
    """

    media_type: str | None
    requested_type: str | None
    prefers_events: bool


class ServedModel:
    """A model with its describer, its workers and its trainings; no code of it runs in this process.

    Use it as an asynchronous context manager: leaving stops describer and workers.
    """

    def __init__(
        self,
        worker_config: WorkerConfig,
        describer: Describer,
        pool: Pool | None,
        scheduler: TrainingScheduler,
    ) -> None:
        self.name = worker_config.name
        self._worker_config = worker_config
        self._describer = describer
        self._pool = pool
        self._scheduler = scheduler
        self._recovery: asyncio.Task[None] | None = None
        self._lifecycle_lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self._describer.__aenter__()
        if self._pool:
            await self._pool.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await _cancel(self._recovery)
        if self._pool:
            await self._pool.__aexit__(*exception)
        await self._describer.__aexit__(*exception)

    async def start(self) -> None:
        """Start describer and workers side by side, and return when the workers accept calls.

        Raise `ModelUnavailable` when a process cannot be started; it is tried again in the background.
        """
        starting = asyncio.create_task(self._pool.start()) if self._pool else None
        try:
            described = await self._describer.start()
            if self._has_no_workers(described.description):
                await _cancel(starting)
                await self._stop_pool()
            elif starting:
                await starting
        except ModelUnavailable:
            if not self._describer.described:
                await _cancel(starting)
                if self._pool:
                    await self._pool.stop()
                self._recovery = asyncio.create_task(self._recover(), context=contextvars.Context())
            raise
        finally:
            await _cancel(starting)

    async def _recover(self) -> None:
        """Start the workers once the describer, which is restarted in the background, describes the model."""
        while True:
            await self._describer.wait_ready()
            with contextlib.suppress(DeepaasError):
                async with self._lifecycle_lock:
                    described = await self._describer.describe()
                    if self._has_no_workers(described.description):
                        await self._stop_pool()
                    elif self._pool:
                        await self._pool.start()
                return
            await asyncio.sleep(_RETRY_INTERVAL_S)

    def _has_no_workers(self, description: ModelDescription) -> bool:
        """Return whether the model has no `predict`; if it has, send batches only to `predict_batch`."""
        if self._pool and "predict_batch" not in description.functions:
            self._pool.disable_batches()
        return "predict" not in description.functions

    async def _stop_pool(self) -> None:
        pool, self._pool = self._pool, None
        if pool:
            await pool.__aexit__()

    async def predict(
        self,
        raw: Mapping[str, Any],
        negotiated_format: NegotiatedFormat,
        scratch: ScratchFolder,
        *,
        size_bytes: int = 0,
        raw_json: bytes = b"",
    ) -> Body | ResultStream:
        """Return the model's prediction for raw arguments, as returned by `Arguments.collect`.

        Arguments of a large request are validated and encoded outside the event loop. With `raw_json`, the
        worker parses that JSON body and validates all arguments; `raw` holds the other ones.

        Raise `InvalidArguments`, `FunctionNotImplemented`, `ModelUnavailable` or `PredictionFailed`.
        """
        described = self.described or await self.describe()
        pool = self._require_pool(described)
        arguments, is_validated, pickled = raw, False, b""
        if raw_json:
            pass  # the worker validates
        elif described.description.predict.runs_user_code:
            pickled = (await self._describer.validate("predict", raw, size_bytes)).pickled
            if pickled:
                arguments, is_validated = {}, True
        else:
            arguments = await run_by_size(size_bytes, described.predict_arguments.validate, raw)
            is_validated = True
        call = Call(
            "predict",
            dict(arguments),
            is_validated,
            negotiated_format.media_type,
            scratch.path,
            request_id.get(),
            negotiated_format.prefers_events,
            negotiated_format.requested_type,
            raw_json,
            pickled,
        )
        encoded = encode(call) if raw_json else await _encode_call(call, raw, size_bytes)
        return await pool.predict(encoded, scratch)

    async def describe(self) -> DescribedModel:
        """Return the model, when it is described. Raise `ModelUnavailable` if that is impossible now."""
        return self.described or await self._describer.describe()

    @property
    def described(self) -> DescribedModel | None:
        """The model, once it is described; without waiting, because each prediction reads it."""
        return self._describer.described

    @property
    def description(self) -> ModelDescription | None:
        """The model's description, if there is one yet."""
        return self._describer.described.description if self._describer.described else None

    async def read_metadata(self) -> dict[str, Any]:
        """Return the metadata that the API publishes; on failure, the last metadata, or the reason."""
        return await self._describer.read_metadata()

    def _require_pool(self, described: DescribedModel) -> Pool:
        """Return the pool. Raise `FunctionNotImplemented` or `EndpointDisabled` if there is none."""
        if self._pool is None:
            described.require_function("predict")
            raise EndpointDisabled("Predictions are switched off.")
        return self._pool

    async def prepare_training(
        self, training_id: str, raw: Mapping[str, Any], *, size_bytes: int = 0
    ) -> tuple[TrainingRecord, Job]:
        """Validate and encode a training. Raise `InvalidArguments` or `FunctionNotImplemented`."""
        described = await self.describe()
        described.require_function("train")
        folder = str(self.get_training_folder(training_id).path)
        call = Call("train", dict(raw), False, None, folder, request_id.get())  # noqa: FBT003 - validated below
        if described.description.train.runs_user_code:
            validated = await self._describer.validate("train", raw, size_bytes)
            call = _use_validated(call, validated)
            shown, has_password = validated.shown, validated.has_password
        else:
            fields = described.train_arguments
            arguments = await run_by_size(size_bytes, fields.validate, raw)
            call = call._replace(arguments=arguments, validated=True)
            shown = await run_by_size(size_bytes, display_arguments, fields.mask_passwords(arguments))
            has_password = fields.has_password(arguments)
        training = TrainingRecord(
            uuid=training_id,
            model=self.name,
            created=time.time(),
            arguments=shown,
            model_version=loader.get_package_version(self.name),
        )
        encoded = await _encode_call(call, raw, size_bytes)
        return training, Job(self._worker_config, encoded, has_password=has_password)

    async def submit_training(self, training: TrainingRecord, job: Job) -> TrainingRecord:
        """Record and queue a training. Raise `StoreUnavailable` or `OSError`, after deleting its folder."""
        # Shielded: a client that disconnects now must not leave a half-submitted training.
        return await asyncio.shield(self._scheduler.submit(training, job))

    async def list_trainings(self, limit: int | None = None) -> list[TrainingRecord]:
        """Return the trainings of the model, or its `limit` newest ones, oldest first."""
        return await self._scheduler.repository.list_for_model(self.name, limit)

    async def get_training(self, training_id: str) -> TrainingRecord:
        """Return one training. Raise `TrainingNotFound`."""
        return await self._scheduler.repository.get(self.name, training_id)

    async def cancel(self, training_id: str) -> TrainingRecord:
        """Cancel a training and return its record. Raise `TrainingNotFound`."""
        return await asyncio.shield(self._scheduler.cancel(self.name, training_id))

    async def purge(self, training_id: str) -> TrainingRecord:
        """Cancel a training and delete it; return its last record. Raise `TrainingNotFound`."""
        return await asyncio.shield(self._scheduler.purge(self.name, training_id))

    async def get_provenance(self, training_id: str) -> dict[str, Any]:
        """Return a training's provenance as JSON. Raise `TrainingNotFound`."""
        return await self._scheduler.repository.get_provenance(self.name, training_id)

    def get_training_folder(self, training_id: str) -> TrainingFolder:
        """Return the folder of a training, whether or not it exists."""
        return self._scheduler.get_folder(self.name, training_id)

    async def reload(self) -> int:
        """Replace describer and workers by new processes, which load the model again; return the workers.

        Raise `ModelUnavailable`.
        """
        return await asyncio.shield(self._reload())

    async def _reload(self) -> int:
        async with self._lifecycle_lock:
            described = await self._describer.reload()
            workers = await self._pool.reload() if self._pool else 0
            self._describer.described = described
        _log.info("Reloaded model %r; new workers: %d", self.name, workers)
        return workers

    def unavailable_reason(self) -> str | None:
        """Return why the model cannot predict now, or `None` if it can or has no `predict`."""
        return self._describer.unavailable_reason() or (
            self._pool.unavailable_reason() if self._pool else None
        )

    async def update_gauges(self, metrics: Metrics) -> None:
        """Set the model's gauges to their current values."""
        if self._pool:
            state = self._pool.stats()
            metrics.queue_length.labels(self.name).set(state.queued)
            metrics.queue_oldest.labels(self.name).set(state.oldest_wait_s)
            for kind in ("busy", "idle", "starting"):
                metrics.workers.labels(self.name, kind).set(getattr(state, kind))
        counts = await self._scheduler.repository.count_by_state(self.name)
        for training_state, count in (counts or {}).items():
            metrics.trainings.labels(self.name, training_state.value).set(count)


def _use_validated(call: Call, validated: ValidatedArguments) -> Call:
    """Return the call with the validated arguments; with the raw ones if they could not be pickled."""
    if not validated.pickled:
        return call
    return call._replace(arguments={}, validated=True, pickled_arguments=validated.pickled)


async def _encode_call(call: Call, raw: Mapping[str, Any], size_bytes: int) -> bytes:
    return await run_by_size(size_bytes, encode_call, call, raw, is_large=size_bytes > LARGE_BYTES)


async def _cancel(task: asyncio.Task[None] | None) -> None:
    """Cancel a task, and wait until it has ended; its error, if any, is dropped."""
    if task:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _start_model(model: ServedModel) -> None:
    try:
        await model.start()
    except ModelUnavailable as error:
        _log.error("%s", error, extra=traceback_extra(error.detail))
        raise


class Service:
    """All served models, with their engine, trainings and scratch folders.

    Use it as an asynchronous context manager: entering starts all of them, leaving stops them and closes
    `temporary`.
    """

    def __init__(
        self,
        models: Iterable[ServedModel],
        scheduler: TrainingScheduler,
        scratch_root: ScratchRoot,
        engine: Engine,
        temporary: contextlib.ExitStack,
    ) -> None:
        self.models = {model.name: model for model in models}
        self._scheduler = scheduler
        self._scratch_root = scratch_root
        self._engine = engine
        self._temporary = temporary
        self._starts: list[asyncio.Task[None]] = []
        self._exit_stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._exit_stack.enter_context(self._temporary)
        self._exit_stack.enter_context(self._scratch_root)
        try:
            await self._exit_stack.enter_async_context(self._engine)
            await self._exit_stack.enter_async_context(self._scheduler)
            await asyncio.gather(*map(self._exit_stack.enter_async_context, self.models.values()))
            self._starts = [
                asyncio.create_task(_start_model(model), name=model.name) for model in self.models.values()
            ]
        except BaseException:
            await self._exit_stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*map(_cancel, self._starts))
        await self._exit_stack.aclose()

    async def wait_started(self) -> None:
        """Wait until each model has started or failed; for slow ones, only while no model has started.

        Raise `ModelUnavailable` if no model could be started.
        """
        pending = set(self._starts)
        if pending:
            _, pending = await asyncio.wait(pending, timeout=_SLOW_START_S)
        for task in pending:
            _log.warning("Model %r is still loading after %g s", task.get_name(), _SLOW_START_S)
        while pending and not self._has_started_model():
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        errors = [task.exception() for task in self._starts if task.done()]
        if len(errors) == len(self._starts) and all(errors):
            raise ModelUnavailable(str(errors[0]))

    def _has_started_model(self) -> bool:
        return any(task.done() and not task.exception() for task in self._starts)

    def get_model(self, name: str) -> ServedModel:
        """Return the served model called `name`. Raise `ModelNotFound`, which lists the served models."""
        try:
            return self.models[name]
        except KeyError:
            served = ", ".join(self.models)
            raise ModelNotFound(f"No model is called '{name}' here. Served: {served}.") from None

    def create_scratch_folder(self) -> ScratchFolder:
        """Return a scratch folder for one request."""
        return self._scratch_root.create_folder()
