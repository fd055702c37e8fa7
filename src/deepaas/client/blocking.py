"""The client that waits for each answer: `Client`, `Model` and `Training`."""

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
from deepaas.client.server import ClientOptions, ServerApi
from deepaas.client.steps import EmitItem, OpenStream, ReadChunk, SendRequest, Sleep, Step, StepCursor, Steps
from deepaas.client.trust import VerifyTypes, build_ssl_context

T = TypeVar("T")


class Client:
    """A DEEPaaS server: ``Client("http://127.0.0.1:5000")["digits"].predict(image="3.png")``.

    `url` includes the server's base path, if it has one. `verify` says whether an HTTPS server must be
    trusted, or which certificates make it so: the path of a file, or an `ssl.SSLContext`. `timeout_s` bounds
    how long a server may say nothing; by default it is for ever. A server that is unavailable for now is
    asked again when it says, for up to `retry_timeout_s` seconds in all. Without `validate`, arguments are
    sent even if they do not fit the server's specification.

    Nothing is sent before the first question. Use it as a context manager, or `close` it, to let go of its
    connections. Several threads may share one.

    Every question may raise an error of `deepaas.errors`: what the server answers, or `ServerUnreachable`.
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
        """Let go of all connections."""
        self._transport.close()

    def __getitem__(self, name: str) -> "Model":
        """Return the model called `name`; the server isn't asked whether it is there."""
        return Model(ModelApi(self._api, name), self._transport)

    def models(self) -> list[dict[str, Any]]:
        """Return the metadata of every model that is served."""
        return self._transport.run(list_models(self._api))


class Model:
    """A model that a server has, from `Client`."""

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
        """Return what the model's author says of it."""
        return self._transport.run(self._api.metadata())

    def argument_schemas(self, function: str = "predict") -> dict[str, dict[str, Any]]:
        """Return the JSON Schema of each argument of `predict`, or of `train`, by its name."""
        return self._transport.run(self._api.argument_schemas(function))

    def predict(self, /, **arguments: Any) -> Any:
        """Return a prediction: JSON's values, a `str` for texts, `bytes` for anything else.

        A file argument is a path, which is read from the disk while it is sent; or bytes, an open binary
        file, a NumPy array (sent as ``.npy``) or a PIL image (as PNG). A tuple ``(file name, content)`` says
        under which name it goes. For other arguments NumPy's and pandas' values, dates and the like will do.

        Raise `InvalidArguments`, whose `messages` says what is wrong with which, before anything is sent, or
        when the server finds it. Raise `PredictionFailed` with the model's own error.
        """
        return self._transport.run(self._api.predict(arguments))

    def predict_to_file(self, path: str | PathLike[str], /, **arguments: Any) -> Path:
        """Write a prediction to a file, without ever holding all of it, and return the file's path."""
        return self._transport.run(self._api.predict_to_file(Path(path), arguments))

    def train(self, /, **arguments: Any) -> "Training":
        """Start a training, whose arguments are given as to `predict`."""
        return self.training(self._transport.run(self._api.train(arguments))["uuid"])

    def training(self, uuid: str) -> "Training":
        """Return the training with that id; the server is not asked whether it is there."""
        return Training(TrainingApi(self._api.server, self.name, uuid), self._transport)

    def trainings(self) -> list["Training"]:
        """Return all trainings, oldest first."""
        records = self._transport.run(self._api.trainings())
        return [self.training(record["uuid"]) for record in records]

    def reload(self) -> int:
        """Let new workers, warmed with what is on disk now, take over; return how many there are."""
        return self._transport.run(self._api.reload())


class Training:
    """A training, from `Model.train`."""

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
        """Return the record as it is now: `status`, `progress`, `metrics`, `result` and more."""
        return self._transport.run(self._api.record())

    def wait(self, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait until the training is done, and return its record.

        What `train` returned is in its ``["result"]["output"]``. A server that is away for less than the
        client's patience does not matter. Raise `TrainingFailed`, which has the record, when the
        training ends in any other way, and `TimeoutError` after `timeout_s` seconds.
        """
        return self._transport.run(self._api.wait(timeout_s))

    def cancel(self, *, purge: bool = False) -> dict[str, Any]:
        """Cancel the training and return its record; with `purge`, forget it and what it left."""
        return self._transport.run(self._api.cancel(purge=purge))

    def log(self, tail: int | None = None) -> str:
        """Return what the training printed until now, or the last `tail` lines of it."""
        return self._transport.run(self._api.log(tail))

    def follow_log(self) -> Iterator[str]:
        """Yield each line that the training prints, from the first on and as it is printed, until it ends."""
        return self._transport.iterate(StepCursor(self._api.events(lambda event: event.line)))

    def events(self) -> Iterator[Event]:
        """Yield what happens, from the beginning: states, progress, metrics, log lines, and last the end."""
        return self._transport.iterate(StepCursor(self._api.events(lambda event: event)))

    def metrics(self) -> list[dict[str, Any]]:
        """Return the history of the metrics, oldest first."""
        return self._transport.run(self._api.metrics())

    def artifacts(self) -> list[dict[str, Any]]:
        """Return the files that the training left, each with its size in bytes and its SHA-256."""
        return self._transport.run(self._api.artifacts())

    def artifact(self, name: str) -> bytes:
        """Return the content of a file that the training left. Raise `ArtifactNotFound`."""
        return self._transport.run(self._api.artifact(name))

    def download(self, name: str, path: str | PathLike[str]) -> Path:
        """Write a file that the training left to `path`. Raise `ArtifactNotFound`."""
        return self._transport.run(self._api.download(name, Path(path)))

    def provenance(self) -> dict[str, Any]:
        """Return the arguments, files, packages and machine that the training was made with."""
        return self._transport.run(self._api.provenance())


class _Transport:
    """Takes steps, waiting for each."""

    def __init__(self, verify: VerifyTypes) -> None:
        self._verify = verify

    @functools.cached_property
    def _http(self) -> httpx.Client:
        return httpx.Client(verify=build_ssl_context(self._verify))

    def close(self) -> None:
        """Let go of all connections."""
        self._http.close()

    def run(self, steps: Steps[T]) -> T:
        """Return what the steps come to."""
        walk = StepCursor(steps)
        for _ in self.iterate(walk):
            pass
        return walk.result

    def iterate(self, cursor: StepCursor[Any]) -> Iterator[Any]:
        """Yield what the steps find."""
        with contextlib.closing(cursor), contextlib.closing(_StepExecutor(self._http)) as taking:
            step = cursor.advance()
            while step is not None:
                if isinstance(step, EmitItem):
                    yield step.value
                step = cursor.advance(taking.execute(step))


class _StepExecutor:
    """Takes one step after the other; of responses, one is open at a time."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes]

    def close(self) -> None:
        """Let go of the response that is open."""
        if self._response:
            self._response.close()

    def execute(self, step: Step) -> Any:
        """Return the step's outcome, or the error that kept it from having one."""
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
