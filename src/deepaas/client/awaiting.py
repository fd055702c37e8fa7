"""Client for asyncio, with the methods of `deepaas.client.blocking`."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from os import PathLike
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from deepaas.client.answers import connection_error, is_error
from deepaas.client.asking import ModelApi, TrainingApi, list_models
from deepaas.client.following import Event
from deepaas.client.steps import EmitItem, OpenStream, ReadChunk, SendRequest, Sleep, Step, StepCursor, Steps
from deepaas.client.transport import ClientOptions, ServerApi
from deepaas.client.trust import VerifyTypes, build_ssl_context

T = TypeVar("T")


class AsyncClient:
    """A DEEPaaS server: ``await AsyncClient("http://127.0.0.1:5000")["digits"].predict(image="3.png")``.

    Same parameters, methods and errors as `deepaas.client.Client`. Use it as an asynchronous context
    manager, or await `close`, to close its connections.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        verify: VerifyTypes = True,
        timeout_s: float | None = None,
        retry_timeout_s: float = 60.0,
        validate: bool = True,
    ) -> None:
        self._api = ServerApi(ClientOptions(url, token, timeout_s, retry_timeout_s, validate))
        self._transport = _Transport(verify)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    def __getitem__(self, name: str) -> "AsyncModel":
        """Return the model `name`, without a request: the server may not have it."""
        return AsyncModel(ModelApi(self._api, name), self._transport)

    async def models(self) -> list[dict[str, Any]]:
        """Return the metadata of every model on the server."""
        return await self._transport.run(list_models(self._api))


class AsyncModel:
    """A model on a server; get it from `AsyncClient`. See `deepaas.client.Model`."""

    def __init__(self, api: ModelApi, transport: "_Transport") -> None:
        self._api = api
        self._transport = transport

    def __repr__(self) -> str:
        return f"<AsyncModel {self.name}>"

    @property
    def name(self) -> str:
        """The model's name."""
        return self._api.name

    async def metadata(self) -> dict[str, Any]:
        """Return the model's metadata."""
        return await self._transport.run(self._api.metadata())

    async def argument_schemas(self, function: str = "predict") -> dict[str, dict[str, Any]]:
        """Return the JSON Schema of each argument of `function` (`predict` or `train`), by argument name."""
        return await self._transport.run(self._api.argument_schemas(function))

    async def predict(self, /, **arguments: Any) -> Any:
        """Return a prediction. See `deepaas.client.Model.predict`."""
        return await self._transport.run(self._api.predict(arguments))

    async def predict_to_file(self, path: str | PathLike[str], /, **arguments: Any) -> Path:
        """Write a prediction to a file, in chunks, and return the file's path."""
        return await self._transport.run(self._api.predict_to_file(Path(path), arguments))

    async def train(self, /, **arguments: Any) -> "AsyncTraining":
        """Start a training. Arguments may have the same types as for `predict`."""
        return self.training((await self._transport.run(self._api.train(arguments)))["uuid"])

    def training(self, uuid: str) -> "AsyncTraining":
        """Return the training `uuid`, without a request: the server may not have it."""
        return AsyncTraining(TrainingApi(self._api.server, self.name, uuid), self._transport)

    async def trainings(self) -> list["AsyncTraining"]:
        """Return all trainings, oldest first."""
        records = await self._transport.run(self._api.trainings())
        return [self.training(record["uuid"]) for record in records]

    async def reload(self) -> int:
        """Replace the model's workers with new ones, which load the current files; return their number."""
        return await self._transport.run(self._api.reload())


class AsyncTraining:
    """A training; get it from `AsyncModel.train` or `AsyncModel.training`. See `deepaas.client.Training`."""

    def __init__(self, api: TrainingApi, transport: "_Transport") -> None:
        self._api = api
        self._transport = transport

    def __repr__(self) -> str:
        return f"<AsyncTraining {self.uuid} of {self._api.model}>"

    @property
    def uuid(self) -> str:
        """The training's id."""
        return self._api.uuid

    async def record(self) -> dict[str, Any]:
        """Return the current record."""
        return await self._transport.run(self._api.record())

    async def wait(self, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait until the training is done, and return its record.

        Raise `TrainingFailed` if it ends with another status, and `TimeoutError` after `timeout_s` seconds.
        """
        return await self._transport.run(self._api.wait(timeout_s))

    async def cancel(self, *, purge: bool = False) -> dict[str, Any]:
        """Cancel the training and return its record. With `purge`, delete its record and files."""
        return await self._transport.run(self._api.cancel(purge=purge))

    async def log(self, tail: int | None = None) -> str:
        """Return the training's output so far, or its last `tail` lines."""
        return await self._transport.run(self._api.log(tail))

    def follow_log(self) -> AsyncIterator[str]:
        """Yield each line of the training's output, from the first one, until the training ends."""
        return self._transport.iterate(StepCursor(self._api.events(lambda event: event.line)))

    def events(self) -> AsyncIterator[Event]:
        """Yield all events since the start (states, progress, metrics, log lines), then the final state."""
        return self._transport.iterate(StepCursor(self._api.events(lambda event: event)))

    async def metrics(self) -> list[dict[str, Any]]:
        """Return all reported metrics, oldest first."""
        return await self._transport.run(self._api.metrics())

    async def artifacts(self) -> list[dict[str, Any]]:
        """Return the training's artifacts, each with its size in bytes and its SHA-256."""
        return await self._transport.run(self._api.artifacts())

    async def artifact(self, name: str) -> bytes:
        """Return the content of an artifact. Raise `ArtifactNotFound`."""
        return await self._transport.run(self._api.artifact(name))

    async def download(self, name: str, path: str | PathLike[str]) -> Path:
        """Write an artifact to the file `path`, and return the path. Raise `ArtifactNotFound`."""
        return await self._transport.run(self._api.download(name, Path(path)))

    async def provenance(self) -> dict[str, Any]:
        """Return the arguments, files, packages and machine that the training used."""
        return await self._transport.run(self._api.provenance())


class _Transport:
    """Executes the client's steps in an event loop."""

    def __init__(self, verify: VerifyTypes) -> None:
        self._verify = verify

    @functools.cached_property
    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(verify=build_ssl_context(self._verify))

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def run(self, steps: Steps[T]) -> T:
        """Execute all steps and return their result."""
        walk = StepCursor(steps)
        async for _ in self.iterate(walk):
            pass
        return walk.result

    async def iterate(self, cursor: StepCursor[Any]) -> AsyncIterator[Any]:
        """Execute the steps, and yield each item that they emit."""
        async with contextlib.AsyncExitStack() as opened:
            opened.callback(cursor.close)
            taking = _StepExecutor(self._http)
            opened.push_async_callback(taking.close)
            step = cursor.advance()
            while step is not None:
                if isinstance(step, EmitItem):
                    yield step.value
                step = cursor.advance(await taking.execute(step))


class _StepExecutor:
    """Executes steps one by one; at most one streamed response is open."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes]

    async def close(self) -> None:
        """Close the open response."""
        if self._response:
            await self._response.aclose()

    async def execute(self, step: Step) -> Any:
        """Return the step's outcome; a connection error is returned, not raised."""
        try:
            match step:
                case SendRequest(request):
                    return await self._http.send(request)
                case OpenStream(request):
                    return await self._open(request)
                case ReadChunk():
                    return await anext(self._chunks, None)
                case Sleep(seconds):
                    await asyncio.sleep(seconds)
        except httpx.RequestError as error:
            return connection_error(error)
        return None

    async def _open(self, request: httpx.Request) -> httpx.Response:
        await self.close()
        response = self._response = await self._http.send(request, stream=True)
        if is_error(response):
            await response.aread()
        self._chunks = response.aiter_bytes()
        return response
