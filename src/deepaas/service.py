"""The served models and their trainings, independent of HTTP."""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

from deepaas.engines.interface import Engine
from deepaas.errors import EndpointDisabled, ModelNotFound
from deepaas.log import request_id
from deepaas.messages import Body, Call, WorkerConfig, encode, encode_call
from deepaas.metrics import Metrics
from deepaas.model import loader
from deepaas.model.arguments import Arguments
from deepaas.model.model import LoadedModel
from deepaas.scratch import ScratchFolder, ScratchRoot
from deepaas.thread_pools import LARGE_BYTES, USER_CODE_EXECUTOR, run_by_size, run_in_executor
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.job import Job
from deepaas.trainings.record import TrainingRecord, display_arguments
from deepaas.trainings.scheduler import TrainingScheduler
from deepaas.workers.pool import Pool
from deepaas.workers.result_stream import ResultStream


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
    """A model with its workers and its trainings.

    Use it as an asynchronous context manager: entering starts the workers, leaving stops them.
    """

    def __init__(
        self, model: LoadedModel, worker_config: WorkerConfig, pool: Pool | None, scheduler: TrainingScheduler
    ) -> None:
        self.model = model
        self.name = model.name
        self.target = worker_config.target
        self._worker_config = worker_config
        self._pool = pool
        self._scheduler = scheduler
        self._validation_lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        if self._pool:
            await self._pool.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._pool:
            await self._pool.__aexit__(*exception)

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
        pool = self._require_pool()
        arguments = dict(raw)
        if not raw_json:
            arguments = await self._validate(self.model.predict_arguments, raw, size_bytes=size_bytes)
        call = Call(
            "predict",
            arguments,
            not raw_json,
            negotiated_format.media_type,
            scratch.path,
            request_id.get(),
            negotiated_format.prefers_events,
            negotiated_format.requested_type,
            raw_json,
        )
        encoded = encode(call) if raw_json else await _encode_call(call, raw, size_bytes)
        return await pool.predict(encoded, scratch)

    def _require_pool(self) -> Pool:
        """Return the pool. Raise `FunctionNotImplemented` or `EndpointDisabled` if there is none."""
        if self._pool is None:
            self.model.get_function("predict")
            raise EndpointDisabled("Predictions are switched off.")
        return self._pool

    async def prepare_training(
        self, training_id: str, raw: Mapping[str, Any], *, size_bytes: int = 0
    ) -> tuple[TrainingRecord, Job]:
        """Validate and encode a training. Raise `InvalidArguments` or `FunctionNotImplemented`."""
        self.model.get_function("train")
        fields = self.model.train_arguments
        arguments = await self._validate(fields, raw, size_bytes=size_bytes)
        public = fields.mask_passwords(arguments)
        folder = str(self.get_training_folder(training_id).path)
        call = Call("train", arguments, True, None, folder, request_id.get())  # noqa: FBT003
        training = TrainingRecord(
            uuid=training_id,
            model=self.name,
            created=time.time(),
            arguments=await run_by_size(size_bytes, display_arguments, public),
            model_version=loader.get_package_version(self.name),
        )
        encoded = await _encode_call(call, raw, size_bytes)
        return training, Job(self._worker_config, encoded, has_password=fields.has_password(arguments))

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
        """Load the declarations again and replace the workers; return the number of workers."""
        self.model = await run_in_executor(
            USER_CODE_EXECUTOR, self.model.copy_uncached().validate_declarations
        )
        return await asyncio.shield(self._pool.reload()) if self._pool else 0

    async def _validate(
        self, arguments: Arguments, raw: Mapping[str, Any], *, size_bytes: int
    ) -> dict[str, Any]:
        """Return the validated arguments.

        Validation that calls user code may block, so it runs in a thread; one request at a time, so that user
        code need not be thread-safe.
        """
        if arguments.runs_user_code:
            async with self._validation_lock:
                return await run_in_executor(USER_CODE_EXECUTOR, arguments.validate_in_thread, raw)
        return await run_by_size(size_bytes, arguments.validate, raw)

    def unavailable_reason(self) -> str | None:
        """Return why the workers cannot predict now, or `None` if they can or the model has none."""
        return self._pool.unavailable_reason() if self._pool else None

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


async def _encode_call(call: Call, raw: Mapping[str, Any], size_bytes: int) -> bytes:
    return await run_by_size(size_bytes, encode_call, call, raw, is_large=size_bytes > LARGE_BYTES)


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
        self._exit_stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._exit_stack.enter_context(self._temporary)
        self._exit_stack.enter_context(self._scratch_root)
        try:
            await self._exit_stack.enter_async_context(self._engine)
            await self._exit_stack.enter_async_context(self._scheduler)
            await asyncio.gather(*map(self._exit_stack.enter_async_context, self.models.values()))
        except BaseException:
            await self._exit_stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exit_stack.aclose()

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
