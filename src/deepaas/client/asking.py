"""What there is to ask of a model and of its trainings, as steps.

It must not know who takes the steps, nor how.
"""

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from deepaas.client.answers import Asked, json_of, value_of
from deepaas.client.arguments import Prepared, prepare
from deepaas.client.following import Event, EventReader
from deepaas.client.server import Patience, Request, Server, path_of
from deepaas.client.steps import Found, More, Open, Pause, Send, Steps
from deepaas.contents import replacing
from deepaas.errors import (
    ArtifactNotFound,
    InvalidArguments,
    ModelNotFound,
    ServerUnreachable,
    TrainingFailed,
    TrainingNotFound,
)

_FIRST_LOOK_S = 0.1
_LONGEST_LOOK_S = 5.0
_LATER = 1.5
_NO_MODEL = Asked(missing=None)
_PREDICTION = Asked(missing=None, runs_model=True)


def models(server: Server) -> Steps[list[dict[str, Any]]]:
    """Return the metadata of every model."""
    response = yield from server.answer(Request("GET", "/v2/models/", asked=_NO_MODEL))
    return list(json_of(response)["models"])


class AskingModel(NamedTuple):
    """A model of a server, by its name."""

    server: Server
    name: str

    def metadata(self) -> Steps[dict[str, Any]]:
        """Return what the model's author says of it."""
        return self._answered("GET", f"{path_of(self.name)}/")

    def arguments(self, function: str) -> Steps[dict[str, dict[str, Any]]]:
        """Return the JSON Schema of each argument of `predict` or `train`."""
        specification = yield from self.server.specification()
        found = specification.function(self.name, function).arguments
        return {name: {**argument.schema} for name, argument in found.items()}

    def predict(self, arguments: Mapping[str, Any]) -> Steps[Any]:
        """Return a prediction."""
        return value_of((yield from self._called("predict", arguments, _PREDICTION)))

    def predict_to(self, path: Path, arguments: Mapping[str, Any]) -> Steps[Path]:
        """Write a prediction to a file, as it comes."""
        yield from self._called("predict", arguments, _PREDICTION, Open)
        return (yield from _written(path))

    def train(self, arguments: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        """Start a training and return its record."""
        return dict(json_of((yield from self._called("train", arguments, Asked()))))

    def trainings(self) -> Steps[list[dict[str, Any]]]:
        """Return the records of all trainings, oldest first."""
        response = yield from self.server.answer(Request("GET", f"{path_of(self.name, 'train')}/"))
        return list(json_of(response))

    def reload(self) -> Steps[int]:
        """Let new workers take over; return how many there are."""
        return int((yield from self._answered("POST", path_of(self.name, "reload")))["workers"])

    def _answered(self, method: str, path: str) -> Steps[dict[str, Any]]:
        return dict(json_of((yield from self.server.answer(Request(method, path)))))

    def _called(
        self, function: str, arguments: Mapping[str, Any], asked: Asked, step: type[Send | Open] = Send
    ) -> Steps[httpx.Response]:
        prepared = yield from self._prepared(function, arguments)
        request = Request("POST", f"{path_of(self.name, function)}/", prepared.request, asked)
        return (yield from self.server.answer(request, step))

    def _prepared(self, function: str, arguments: Mapping[str, Any]) -> Steps[Prepared]:
        """Check by what is known of the server; where that says no, it is asked whether it has changed."""
        if self.server.is_known:
            with contextlib.suppress(InvalidArguments, ModelNotFound):
                return (yield from self._checked(function, arguments, afresh=False))
        return (yield from self._checked(function, arguments, afresh=True))

    def _checked(self, function: str, arguments: Mapping[str, Any], *, afresh: bool) -> Steps[Prepared]:
        specification = yield from self.server.specification(afresh=afresh)
        declared = specification.function(self.name, function)
        return prepare(declared, arguments, check=self.server.options.check)


class AskingTraining(NamedTuple):
    """A training of a model, by its id."""

    server: Server
    model: str
    uuid: str

    def record(self) -> Steps[dict[str, Any]]:
        """Return the record as it is now."""
        return dict((yield from self._answered("GET")))

    def wait(self, timeout_s: float | None) -> Steps[dict[str, Any]]:
        """Return the record when the training is done.

        Raise `TrainingFailed` when it ends in any other way, and `TimeoutError`.
        """
        end = time.monotonic() + (math.inf if timeout_s is None else timeout_s)
        look_s = _FIRST_LOOK_S
        while True:
            response = yield from self.server.answer(self._request("GET"), survives_loss=True)
            record = dict(json_of(response))
            if record["status"] != "running":
                return _done(record)
            left_s = end - time.monotonic()
            if left_s <= 0:
                raise TimeoutError(f"The training {self.uuid} is not done after {timeout_s:g} s.")
            yield Pause(min(look_s, left_s))
            look_s = min(_LATER * look_s, _LONGEST_LOOK_S)

    def cancel(self, *, purge: bool) -> Steps[dict[str, Any]]:
        """Cancel the training and return its record; with `purge`, forget it afterwards."""
        params = {"purge": "true"} if purge else {}
        return dict((yield from self._answered("DELETE", params=params)))

    def log(self, tail: int | None) -> Steps[str]:
        """Return what the training printed, or the last `tail` lines of it."""
        params = {} if tail is None else {"tail": str(tail)}
        response = yield from self.server.answer(self._request("GET", "log", params=params))
        return response.text

    def metrics(self) -> Steps[list[dict[str, Any]]]:
        """Return the history of the metrics, oldest first."""
        return list((yield from self._answered("GET", "metrics")))

    def artifacts(self) -> Steps[list[dict[str, Any]]]:
        """Return the files that the training left."""
        return list((yield from self._answered("GET", "artifacts", "")))

    def provenance(self) -> Steps[dict[str, Any]]:
        """Return all that tells how the training came to be."""
        return dict((yield from self._answered("GET", "provenance")))

    def artifact(self, name: str) -> Steps[bytes]:
        """Return the content of a file that the training left."""
        response = yield from self.server.answer(self._artifact(name))
        return response.content

    def download(self, name: str, path: Path) -> Steps[Path]:
        """Write a file that the training left to `path`, as it comes."""
        yield from self.server.answer(self._artifact(name), Open)
        return (yield from _written(path))

    def events(self, shown: Callable[[Event], Any]) -> Steps[None]:
        """Find what `shown` makes of each event, unless that is nothing, until the training ends.

        A lost connection is taken up where it was lost. All that the server sends renews the patience.
        """
        reader = EventReader()
        patience = Patience(self.server.options.patience_s)
        while not reader.has_ended:
            received = reader.received_bytes
            problem = yield from self._followed(reader, shown)
            if reader.received_bytes != received:
                patience = Patience(self.server.options.patience_s)
            if problem:
                yield patience.pause(problem)

    def _followed(
        self, reader: EventReader, shown: Callable[[Event], Any]
    ) -> Steps[ServerUnreachable | None]:
        """Find what one connection brings; return why there is no more, if that is not the training's end."""
        reader.begin()
        headers = {"Last-Event-ID": reader.last_id} if reader.last_id else {}
        request = self._request("GET", "events", has_end=False, headers=headers)
        try:
            yield from self.server.answer(request, Open)
            while chunk := (yield More()):
                for found in map(shown, reader.feed(chunk)):
                    if found is not None:
                        yield Found(found)
        except ServerUnreachable as error:
            return error
        return None if reader.has_ended else ServerUnreachable("The events ended before the training.")

    def _answered(self, method: str, *below: str, **options: Any) -> Steps[Any]:
        return json_of((yield from self.server.answer(self._request(method, *below, **options))))

    def _artifact(self, name: str) -> Request:
        request = self._request("GET", "artifacts", *name.split("/"))
        return request._replace(asked=Asked(ArtifactNotFound))

    def _request(self, method: str, *below: str, has_end: bool = True, **options: Any) -> Request:
        path = path_of(self.model, "train", self.uuid, *below)
        return Request(method, path, lambda _: options, Asked(TrainingNotFound), has_end)


def _done(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a training that is done. Raise `TrainingFailed` for any other."""
    if record["status"] != "done":
        said = record.get("message") or f"it was {record['status']}"
        raise TrainingFailed(f"The training {record['uuid']} is not done: {said}", record)
    return record


def _written(path: Path) -> Steps[Path]:
    """Write the response that is open to a file, which is there when it is complete, or not at all."""
    with replacing(path) as file:
        while chunk := (yield More()):
            file.write(chunk)
    return path
