"""Blocking client: `Client`, `Model` and `Training`."""

import contextlib
import functools
import time
from collections.abc import Iterator
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


class Client:
    """A DEEPaaS server: ``Client("http://127.0.0.1:5000")["digits"].predict(image="3.png")``.

    `url` includes the server's base path, if it has one. `verify` is whether to verify the certificate of an
    HTTPS server; or the path of a file of trusted certificates, or an `ssl.SSLContext`. `timeout_s` limits
    how long the server may send nothing; by default there is no limit. When a server responds 503 with
    ``Retry-After``, the client waits that long and retries; all waits together last at most
    `retry_timeout_s` seconds. With `validate` false, the client sends arguments even if they do not match
    the server's OpenAPI document.

    The client connects at the first request. Use it as a context manager, or call `close`, to close its
    connections. Threads may share a client.

    Every request may raise an error of `deepaas.errors`: `ServerUnreachable`, or the error that matches the
    server's response.
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def __getitem__(self, name: str) -> "Model":
        """Return the model `name`, without a request: the server may not have it."""
        return Model(ModelApi(self._api, name), self._transport)

    def models(self) -> list[dict[str, Any]]:
        """Return the metadata of every model on the server."""
        return self._transport.run(list_models(self._api))


class Model:
    """A model on a server; get it from `Client`."""

    def __init__(self, api: ModelApi, transport: "_Transport") -> None:
        self._api = api
        self._transport = transport

    def __repr__(self) -> str:
        return f"<Model {self.name}>"

    @property
    def name(self) -> str:
        """The model's name."""
        return self._api.name

    def metadata(self) -> dict[str, Any]:
        """Return the model's metadata."""
        return self._transport.run(self._api.metadata())

    def argument_schemas(self, function: str = "predict") -> dict[str, dict[str, Any]]:
        """Return the JSON Schema of each argument of `function` (`predict` or `train`), by argument name."""
        return self._transport.run(self._api.argument_schemas(function))

    def predict(self, /, **arguments: Any) -> Any:
        """Return a prediction: decoded JSON, a `str` for text, `bytes` for any other media type.

        A file argument is a path, which is read from disk while it is sent; or bytes, an open binary file,
        a NumPy array (sent as ``.npy``) or a PIL image (sent as PNG). A tuple ``(file name, content)`` sets
        the file name. Other arguments may be anything JSON can express, including NumPy and pandas values
        and dates.

        Raise `InvalidArguments`, whose `messages` has the problems by argument, before sending anything or
        when the server rejects them. Raise `PredictionFailed` with the model's error.
        """
        return self._transport.run(self._api.predict(arguments))

    def predict_to_file(self, path: str | PathLike[str], /, **arguments: Any) -> Path:
        """Write a prediction to a file, in chunks, and return the file's path."""
        return self._transport.run(self._api.predict_to_file(Path(path), arguments))

    def train(self, /, **arguments: Any) -> "Training":
        """Start a training. Arguments may have the same types as for `predict`."""
        return self.training(self._transport.run(self._api.train(arguments))["uuid"])

    def training(self, uuid: str) -> "Training":
        """Return the training `uuid`, without a request: the server may not have it."""
        return Training(TrainingApi(self._api.server, self.name, uuid), self._transport)

    def trainings(self) -> list["Training"]:
        """Return all trainings, oldest first."""
        records = self._transport.run(self._api.trainings())
        return [self.training(record["uuid"]) for record in records]

    def reload(self) -> int:
        """Replace the model's workers with new ones, which load the current files; return their number."""
        return self._transport.run(self._api.reload())


class Training:
    """A training; get it from `Model.train` or `Model.training`."""

    def __init__(self, api: TrainingApi, transport: "_Transport") -> None:
        self._api = api
        self._transport = transport

    def __repr__(self) -> str:
        return f"<Training {self.uuid} of {self._api.model}>"

    @property
    def uuid(self) -> str:
        """The training's id."""
        return self._api.uuid

    def record(self) -> dict[str, Any]:
        """Return the current record: `status`, `progress`, `metrics`, `result` and more."""
        return self._transport.run(self._api.record())

    def wait(self, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait until the training is done, and return its record.

        ``["result"]["output"]`` of the record is the return value of `train`. While the server cannot be
        reached, the client retries for up to `retry_timeout_s`. Raise `TrainingFailed`, which has the
        record, if the training ends with another status, and `TimeoutError` after `timeout_s` seconds.
        """
        return self._transport.run(self._api.wait(timeout_s))

    def cancel(self, *, purge: bool = False) -> dict[str, Any]:
        """Cancel the training and return its record. With `purge`, delete its record and files."""
        return self._transport.run(self._api.cancel(purge=purge))

    def log(self, tail: int | None = None) -> str:
        """Return the training's output so far, or its last `tail` lines."""
        return self._transport.run(self._api.log(tail))

    def follow_log(self) -> Iterator[str]:
        """Yield each line of the training's output, from the first one, until the training ends."""
        return self._transport.iterate(StepCursor(self._api.events(lambda event: event.line)))

    def events(self) -> Iterator[Event]:
        """Yield all events since the start (states, progress, metrics, log lines), then the final state."""
        return self._transport.iterate(StepCursor(self._api.events(lambda event: event)))

    def metrics(self) -> list[dict[str, Any]]:
        """Return all reported metrics, oldest first."""
        return self._transport.run(self._api.metrics())

    def artifacts(self) -> list[dict[str, Any]]:
        """Return the training's artifacts, each with its size in bytes and its SHA-256."""
        return self._transport.run(self._api.artifacts())

    def artifact(self, name: str) -> bytes:
        """Return the content of an artifact. Raise `ArtifactNotFound`."""
        return self._transport.run(self._api.artifact(name))

    def download(self, name: str, path: str | PathLike[str]) -> Path:
        """Write an artifact to the file `path`, and return the path. Raise `ArtifactNotFound`."""
        return self._transport.run(self._api.download(name, Path(path)))

    def provenance(self) -> dict[str, Any]:
        """Return the arguments, files, packages and machine that the training used."""
        return self._transport.run(self._api.provenance())


class _Transport:
    """Executes the client's steps, blocking on each."""

    def __init__(self, verify: VerifyTypes) -> None:
        self._verify = verify

    @functools.cached_property
    def _http(self) -> httpx.Client:
        return httpx.Client(verify=build_ssl_context(self._verify))

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def run(self, steps: Steps[T]) -> T:
        """Execute all steps and return their result."""
        walk = StepCursor(steps)
        for _ in self.iterate(walk):
            pass
        return walk.result

    def iterate(self, cursor: StepCursor[Any]) -> Iterator[Any]:
        """Execute the steps, and yield each item that they emit."""
        with contextlib.closing(cursor), contextlib.closing(_StepExecutor(self._http)) as taking:
            step = cursor.advance()
            while step is not None:
                if isinstance(step, EmitItem):
                    yield step.value
                step = cursor.advance(taking.execute(step))


class _StepExecutor:
    """Executes steps one by one; at most one streamed response is open."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes]

    def close(self) -> None:
        """Close the open response."""
        if self._response:
            self._response.close()

    def execute(self, step: Step) -> Any:
        """Return the step's outcome; a connection error is returned, not raised."""
        try:
            match step:
                case SendRequest(request):
                    return self._http.send(request)
                case OpenStream(request):
                    return self._open(request)
                case ReadChunk():
                    return next(self._chunks, None)
                case Sleep(seconds):
                    time.sleep(seconds)
        except httpx.RequestError as error:
            return connection_error(error)
        return None

    def _open(self, request: httpx.Request) -> httpx.Response:
        self.close()
        response = self._response = self._http.send(request, stream=True)
        if is_error(response):
            response.read()
        self._chunks = response.iter_bytes()
        return response
