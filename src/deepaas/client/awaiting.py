"""The client for event loops: what `deepaas.client.blocking` has, with ``await``.

It must not know what is asked of the server, nor what its answers mean.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from os import PathLike
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from deepaas.client.answers import is_error, unreachable
from deepaas.client.asking import AskingModel, AskingTraining, models
from deepaas.client.following import Event
from deepaas.client.server import Options, Server
from deepaas.client.steps import Found, More, Open, Pause, Send, Step, Steps, Walk
from deepaas.client.trust import Verify, trust

T = TypeVar("T")


class AsyncClient:
    """A DEEPaaS server: ``await AsyncClient("http://127.0.0.1:5000")["digits"].predict(image="3.png")``.

    It takes what `deepaas.client.Client` takes, and all methods do and raise what they do there. Use it as an
    asynchronous context manager, or await `close`, to let go of its connections.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        verify: Verify = True,
        timeout_s: float | None = None,
        patience_s: float = 60.0,
        check: bool = True,
    ) -> None:
        self._asked = Server(Options(url, token, timeout_s, patience_s, check))
        self._transport = _Transport(verify)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of all connections."""
        await self._transport.close()

    def __getitem__(self, name: str) -> "AsyncModel":
        """Return the model called `name`; the server isn't asked whether it is there."""
        return AsyncModel(AskingModel(self._asked, name), self._transport)

    async def models(self) -> list[dict[str, Any]]:
        """Return the metadata of every model that is served."""
        return await self._transport.run(models(self._asked))


class AsyncModel:
    """A model that a server has, from `AsyncClient`; see `deepaas.client.Model`."""

    def __init__(self, asked: AskingModel, transport: "_Transport") -> None:
        self._asked = asked
        self._transport = transport

    def __repr__(self) -> str:
        return f"<AsyncModel {self.name}>"

    @property
    def name(self) -> str:
        """The model's name."""
        return self._asked.name

    async def metadata(self) -> dict[str, Any]:
        """Return what the model's author says of it."""
        return await self._transport.run(self._asked.metadata())

    async def arguments(self, function: str = "predict") -> dict[str, dict[str, Any]]:
        """Return the JSON Schema of each argument of `predict`, or of `train`, by its name."""
        return await self._transport.run(self._asked.arguments(function))

    async def predict(self, /, **arguments: Any) -> Any:
        """Return a prediction, for arguments as `deepaas.client.Model.predict` takes them."""
        return await self._transport.run(self._asked.predict(arguments))

    async def predict_to(self, path: str | PathLike[str], /, **arguments: Any) -> Path:
        """Write a prediction to a file, without ever holding all of it, and return the file's path."""
        return await self._transport.run(self._asked.predict_to(Path(path), arguments))

    async def train(self, /, **arguments: Any) -> "AsyncTraining":
        """Start a training, whose arguments are given as to `predict`."""
        return self.training((await self._transport.run(self._asked.train(arguments)))["uuid"])

    def training(self, uuid: str) -> "AsyncTraining":
        """Return the training with that id; the server is not asked whether it is there."""
        return AsyncTraining(AskingTraining(self._asked.server, self.name, uuid), self._transport)

    async def trainings(self) -> list["AsyncTraining"]:
        """Return all trainings, oldest first."""
        records = await self._transport.run(self._asked.trainings())
        return [self.training(record["uuid"]) for record in records]

    async def reload(self) -> int:
        """Let new workers, warmed with what is on disk now, take over; return how many there are."""
        return await self._transport.run(self._asked.reload())


class AsyncTraining:
    """A training, from `AsyncModel.train`; see `deepaas.client.Training`."""

    def __init__(self, asked: AskingTraining, transport: "_Transport") -> None:
        self._asked = asked
        self._transport = transport

    def __repr__(self) -> str:
        return f"<AsyncTraining {self.uuid} of {self._asked.model}>"

    @property
    def uuid(self) -> str:
        """The training's id."""
        return self._asked.uuid

    async def record(self) -> dict[str, Any]:
        """Return the record as it is now."""
        return await self._transport.run(self._asked.record())

    async def wait(self, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait until the training is done, for up to `timeout_s` seconds, and return its record."""
        return await self._transport.run(self._asked.wait(timeout_s))

    async def cancel(self, *, purge: bool = False) -> dict[str, Any]:
        """Cancel the training and return its record; with `purge`, forget it and what it left."""
        return await self._transport.run(self._asked.cancel(purge=purge))

    async def log(self, tail: int | None = None) -> str:
        """Return what the training printed until now, or the last `tail` lines of it."""
        return await self._transport.run(self._asked.log(tail))

    def follow_log(self) -> AsyncIterator[str]:
        """Yield each line that the training prints, as it is printed, until it ends."""
        return self._transport.iterate(Walk(self._asked.events(lambda event: event.line)))

    def events(self) -> AsyncIterator[Event]:
        """Yield what happens, from the beginning: states, progress, metrics, log lines, and last the end."""
        return self._transport.iterate(Walk(self._asked.events(lambda event: event)))

    async def metrics(self) -> list[dict[str, Any]]:
        """Return the history of the metrics, oldest first."""
        return await self._transport.run(self._asked.metrics())

    async def artifacts(self) -> list[dict[str, Any]]:
        """Return the files that the training left, each with its size in bytes and its SHA-256."""
        return await self._transport.run(self._asked.artifacts())

    async def artifact(self, name: str) -> bytes:
        """Return the content of a file that the training left."""
        return await self._transport.run(self._asked.artifact(name))

    async def download(self, name: str, path: str | PathLike[str]) -> Path:
        """Write a file that the training left to `path`."""
        return await self._transport.run(self._asked.download(name, Path(path)))

    async def provenance(self) -> dict[str, Any]:
        """Return the arguments, files, packages and machine that the training was made with."""
        return await self._transport.run(self._asked.provenance())


class _Transport:
    """Takes steps in an event loop."""

    def __init__(self, verify: Verify) -> None:
        self._verify = verify

    @functools.cached_property
    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(verify=trust(self._verify))

    async def close(self) -> None:
        """Let go of all connections."""
        await self._http.aclose()

    async def run(self, steps: Steps[T]) -> T:
        """Return what the steps come to."""
        walk = Walk(steps)
        async for _ in self.iterate(walk):
            pass
        return walk.result

    async def iterate(self, walk: Walk[Any]) -> AsyncIterator[Any]:
        """Yield what the steps find."""
        async with contextlib.AsyncExitStack() as opened:
            opened.callback(walk.close)
            taking = _Taking(self._http)
            opened.push_async_callback(taking.close)
            step = walk.next()
            while step is not None:
                if isinstance(step, Found):
                    yield step.value
                step = walk.next(await taking.outcome(step))


class _Taking:
    """Takes one step after the other; of responses, one is open at a time."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes]

    async def close(self) -> None:
        """Let go of the response that is open."""
        if self._response:
            await self._response.aclose()

    async def outcome(self, step: Step) -> Any:
        """Return the step's outcome, or the error that kept it from having one."""
        try:
            match step:
                case Send(request):
                    return await self._http.send(request)
                case Open(request):
                    return await self._open(request)
                case More():
                    return await anext(self._chunks, None)
                case Pause(seconds):
                    await asyncio.sleep(seconds)
        except httpx.RequestError as error:
            return unreachable(error)
        return None

    async def _open(self, request: httpx.Request) -> httpx.Response:
        await self.close()
        response = self._response = await self._http.send(request, stream=True)
        if is_error(response):
            await response.aread()
        self._chunks = response.aiter_bytes()
        return response
