"""The product without HTTP: describe models, predict, train.

It must not know aiohttp, nor how its processes are run.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

from deepaas import calling
from deepaas.engines.engine import Engine
from deepaas.errors import ModelNotFound, NotServed
from deepaas.files import Scratch, ScratchSpace
from deepaas.log import request_id
from deepaas.messages import Body, Call, Start, encode
from deepaas.metrics import Metrics
from deepaas.model import loading
from deepaas.model.arguments import Arguments
from deepaas.model.model import Model
from deepaas.threads import LARGE_BYTES, USER_CODE, run_by_size, run_in
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.job import Job
from deepaas.trainings.runner import Runner
from deepaas.trainings.shown import shown
from deepaas.trainings.training import Training
from deepaas.workers.pool import Pool
from deepaas.workers.stream import Stream


class Draft(NamedTuple):
    """A training to be: its id, and its folder, which goes away unless the training starts."""

    uuid: str
    scratch: Scratch


class Wanted(NamedTuple):
    """What a client wants a prediction to be sent as.

    `media_type` is one of the model's choices, `None` for JSON; where it has a wildcard, `concrete_type` is
    what the client named instead, if it did. With `prefers_events`, a stream without a media type is sent as
    server-sent events.
    """

    media_type: str | None
    concrete_type: str | None
    prefers_events: bool


class ServedModel:
    """A model with its workers and its trainings.

    Use it as an asynchronous context manager: entering starts the workers, leaving ends them.
    """

    def __init__(self, model: Model, start: Start, pool: Pool | None, runner: Runner) -> None:
        self.model = model
        self.name = model.name
        self.target = start.target
        self._start = start
        self._pool = pool
        self._runner = runner
        self._validating = asyncio.Lock()

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
        wanted: Wanted,
        scratch: Scratch,
        *,
        size_bytes: int = 0,
    ) -> Body | Stream:
        """Return the model's prediction for raw arguments, as `Arguments.gather` returns them.

        Arguments of a large request are validated and encoded outside the event loop.

        Raise `InvalidArguments`, `NotImplementedByModel`, `ModelUnavailable` or `PredictionFailed`.
        """
        pool = self._serving_pool()
        arguments = await self._validated(self.model.predict_arguments, raw, size_bytes=size_bytes)
        call = _prediction(arguments, wanted, scratch, validated=True)
        encoded = await _encoded(call, raw, size_bytes)
        return await calling.predict(pool, encoded, scratch)

    async def predict_unread(
        self, raw: Mapping[str, Any], json: bytes, wanted: Wanted, scratch: Scratch
    ) -> Body | Stream:
        """Do the same for a JSON body that the worker reads; `raw` is what the rest of the request gave."""
        pool = self._serving_pool()
        call = _prediction(dict(raw), wanted, scratch, validated=False, json=json)
        return await calling.predict(pool, encode(call), scratch)

    def _serving_pool(self) -> Pool:
        """Return the workers. Raise `NotImplementedByModel` or `NotServed`."""
        if self._pool is None:
            self.model.function("predict")
            raise NotServed("Predictions are switched off.")
        return self._pool

    def draft_training(self) -> Draft:
        """Return the id and the folder for a new training."""
        identity = uuid.uuid4().hex
        return Draft(identity, Scratch(str(self._runner.folder(self.name, identity).path)))

    async def train(self, draft: Draft, raw: Mapping[str, Any], *, size_bytes: int = 0) -> Training:
        """Start a training with raw arguments. Raise `InvalidArguments` or `NotImplementedByModel`."""
        self.model.function("train")
        arguments = await self._validated(self.model.train_arguments, raw, size_bytes=size_bytes)
        draft.scratch.note_use()
        fields = self.model.train_arguments
        public = fields.masked(arguments)
        call = Call("train", arguments, True, None, draft.scratch.path, request_id.get())  # noqa: FBT003
        training = Training(
            uuid=draft.uuid,
            model=self.name,
            created=time.time(),
            arguments=await run_by_size(size_bytes, shown, public),
            model_version=loading.version_of(self.name),
        )
        # A client that leaves now must not leave half a training behind.
        encoded = await _encoded(call, raw, size_bytes)
        job = Job(self._start, encoded, has_password=fields.has_password(arguments))
        return await asyncio.shield(self._submit(draft, training, job))

    async def _submit(self, draft: Draft, training: Training, job: Job) -> Training:
        draft.scratch.keep()
        return await self._runner.submit(training, job)

    async def trainings(self) -> list[Training]:
        """Return all trainings of the model, oldest first."""
        return await self._runner.records.of_model(self.name)

    async def training(self, identity: str) -> Training:
        """Return one training. Raise `TrainingNotFound`."""
        return await self._runner.records.get(self.name, identity)

    async def cancel(self, identity: str) -> Training:
        """Cancel a training and return its record. Raise `TrainingNotFound`."""
        return await asyncio.shield(self._runner.cancel(self.name, identity))

    async def purge(self, identity: str) -> Training:
        """Cancel a training and forget it; return its last record. Raise `TrainingNotFound`."""
        return await asyncio.shield(self._runner.purge(self.name, identity))

    async def provenance(self, identity: str) -> dict[str, Any]:
        """Return all that tells how a training came to be. Raise `TrainingNotFound`."""
        return await self._runner.records.provenance(self.name, identity)

    def folder(self, identity: str) -> TrainingFolder:
        """Return the folder of a training."""
        return self._runner.folder(self.name, identity)

    async def reload(self) -> int:
        """Let new workers, warmed with what is on disk now, take over; return how many there are."""
        self.model = await run_in(USER_CODE, self.model.afresh().checked)
        return await asyncio.shield(self._pool.reload()) if self._pool else 0

    async def _validated(
        self, arguments: Arguments, raw: Mapping[str, Any], *, size_bytes: int
    ) -> dict[str, Any]:
        """Return the arguments that raw ones become.

        Where that calls the author's own code, which may have to wait for a disk, it is done outside the
        loop, though one request after the other: the author need not think of threads.
        """
        if arguments.run_authors_code:
            async with self._validating:
                return await run_in(USER_CODE, arguments.validate_safely, raw)
        return await run_by_size(size_bytes, arguments.validate, raw)

    def problem(self) -> str | None:
        """Return why no prediction could be answered now, or nothing when one could."""
        return self._pool.problem() if self._pool else None

    async def measure(self, metrics: Metrics) -> None:
        """Set the figures that are read off rather than counted."""
        if self._pool:
            state = self._pool.state()
            metrics.queue_length.labels(self.name).set(state.waiting)
            metrics.queue_age.labels(self.name).set(state.oldest_s)
            for kind in ("busy", "idle", "starting"):
                metrics.workers.labels(self.name, kind).set(getattr(state, kind))
        counts = await self._runner.records.count(self.name)
        for training_state, count in (counts or {}).items():
            metrics.trainings.labels(self.name, training_state.value).set(count)


def _prediction(
    arguments: dict[str, Any], wanted: Wanted, scratch: Scratch, *, validated: bool, json: bytes = b""
) -> Call:
    return Call(
        "predict",
        arguments,
        validated,
        wanted.media_type,
        scratch.path,
        request_id.get(),
        wanted.prefers_events,
        wanted.concrete_type,
        json,
    )


async def _encoded(call: Call, raw: Mapping[str, Any], size_bytes: int) -> bytes:
    return await run_by_size(size_bytes, calling.encoded, call, raw, is_large=size_bytes > LARGE_BYTES)


class Service:
    """All that is served.

    Use it as an asynchronous context manager: entering starts every model's workers, leaving ends them.
    """

    def __init__(
        self, models: Iterable[ServedModel], runner: Runner, scratch_space: ScratchSpace, engine: Engine
    ) -> None:
        self.models = {model.name: model for model in models}
        self._runner = runner
        self._scratch_space = scratch_space
        self._engine = engine
        self._open = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._open.enter_context(self._scratch_space)
        try:
            await self._open.enter_async_context(self._engine)
            await self._open.enter_async_context(self._runner)
            await asyncio.gather(*map(self._open.enter_async_context, self.models.values()))
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    def model(self, name: str) -> ServedModel:
        """Return the served model called `name`. Raise `ModelNotFound`, listing what there is."""
        try:
            return self.models[name]
        except KeyError:
            served = ", ".join(self.models)
            raise ModelNotFound(f"No model is called '{name}' here. Served: {served}.") from None

    def scratch(self) -> Scratch:
        """Return a scratch folder for one request."""
        return self._scratch_space.folder()
