"""What there is to ask of a model and of its trainings, as steps."""

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from deepaas.atomic_files import atomic_write
from deepaas.client.answers import ErrorContext, decode_body, decode_json
from deepaas.client.arguments import EncodedArguments, encode_arguments
from deepaas.client.following import Event, EventReader
from deepaas.client.server import Request, RetryBudget, ServerApi, build_path
from deepaas.client.steps import EmitItem, OpenStream, ReadChunk, SendRequest, Sleep, Steps
from deepaas.errors import (
    ArtifactNotFound,
    InvalidArguments,
    ModelNotFound,
    ServerUnreachable,
    TrainingFailed,
    TrainingNotFound,
)

_INITIAL_POLL_INTERVAL_S = 0.1
_MAX_POLL_INTERVAL_S = 5.0
_POLL_BACKOFF_FACTOR = 1.5
_LISTING_CONTEXT = ErrorContext(not_found_error=None)
_PREDICTION_CONTEXT = ErrorContext(not_found_error=None, runs_model=True)


def list_models(server: ServerApi) -> Steps[list[dict[str, Any]]]:
    """Return the metadata of every model."""
    response = yield from server.request(Request("GET", "/v2/models/", error_context=_LISTING_CONTEXT))
    return list(decode_json(response)["models"])


class ModelApi(NamedTuple):
    """A model of a server, by its name."""

    server: ServerApi
    name: str

    def metadata(self) -> Steps[dict[str, Any]]:
        """Return what the model's author says of it."""
        return self._request_json("GET", f"{build_path(self.name)}/")

    def argument_schemas(self, function: str) -> Steps[dict[str, dict[str, Any]]]:
        """Return the JSON Schema of each argument of `predict` or `train`."""
        specification = yield from self.server.fetch_schema()
        found = specification.get_function(self.name, function).arguments
        return {name: {**argument.schema} for name, argument in found.items()}

    def predict(self, arguments: Mapping[str, Any]) -> Steps[Any]:
        """Return a prediction."""
        return decode_body((yield from self._call_function("predict", arguments, _PREDICTION_CONTEXT)))

    def predict_to_file(self, path: Path, arguments: Mapping[str, Any]) -> Steps[Path]:
        """Write a prediction to a file, as it comes."""
        yield from self._call_function("predict", arguments, _PREDICTION_CONTEXT, OpenStream)
        return (yield from _write_stream(path))

    def train(self, arguments: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        """Start a training and return its record."""
        return dict(decode_json((yield from self._call_function("train", arguments, ErrorContext()))))

    def trainings(self) -> Steps[list[dict[str, Any]]]:
        """Return the records of all trainings, oldest first."""
        response = yield from self.server.request(Request("GET", f"{build_path(self.name, 'train')}/"))
        return list(decode_json(response))

    def reload(self) -> Steps[int]:
        """Let new workers take over; return how many there are."""
        return int((yield from self._request_json("POST", build_path(self.name, "reload")))["workers"])

    def _request_json(self, method: str, path: str) -> Steps[dict[str, Any]]:
        return dict(decode_json((yield from self.server.request(Request(method, path)))))

    def _call_function(
        self,
        function: str,
        arguments: Mapping[str, Any],
        error_context: ErrorContext,
        step: type[SendRequest | OpenStream] = SendRequest,
    ) -> Steps[httpx.Response]:
        prepared = yield from self._encode_arguments(function, arguments)
        request = Request(
            "POST", f"{build_path(self.name, function)}/", prepared.build_request_options, error_context
        )
        return (yield from self.server.request(request, step))

    def _encode_arguments(self, function: str, arguments: Mapping[str, Any]) -> Steps[EncodedArguments]:
        """Check by what is known of the server; where that says no, it is asked whether it has changed."""
        if self.server.has_schema:
            with contextlib.suppress(InvalidArguments, ModelNotFound):
                return (yield from self._encode_by_schema(function, arguments, refresh=False))
        return (yield from self._encode_by_schema(function, arguments, refresh=True))

    def _encode_by_schema(
        self, function: str, arguments: Mapping[str, Any], *, refresh: bool
    ) -> Steps[EncodedArguments]:
        specification = yield from self.server.fetch_schema(refresh=refresh)
        declared = specification.get_function(self.name, function)
        return encode_arguments(declared, arguments, validate=self.server.options.validate)


class TrainingApi(NamedTuple):
    """A training of a model, by its id."""

    server: ServerApi
    model: str
    uuid: str

    def record(self) -> Steps[dict[str, Any]]:
        """Return the record as it is now."""
        return dict((yield from self._request_json("GET")))

    def wait(self, timeout_s: float | None) -> Steps[dict[str, Any]]:
        """Return the record when the training is done.

        Raise `TrainingFailed` when it ends in any other way, and `TimeoutError`.
        """
        end = time.monotonic() + (math.inf if timeout_s is None else timeout_s)
        look_s = _INITIAL_POLL_INTERVAL_S
        while True:
            response = yield from self.server.request(self._build_request("GET"), retry_on_disconnect=True)
            record = dict(decode_json(response))
            if record["status"] != "running":
                return _require_done(record)
            left_s = end - time.monotonic()
            if left_s <= 0:
                raise TimeoutError(f"The training {self.uuid} is not done after {timeout_s:g} s.")
            yield Sleep(min(look_s, left_s))
            look_s = min(_POLL_BACKOFF_FACTOR * look_s, _MAX_POLL_INTERVAL_S)

    def cancel(self, *, purge: bool) -> Steps[dict[str, Any]]:
        """Cancel the training and return its record; with `purge`, forget it afterwards."""
        params = {"purge": "true"} if purge else {}
        return dict((yield from self._request_json("DELETE", params=params)))

    def log(self, tail: int | None) -> Steps[str]:
        """Return what the training printed, or the last `tail` lines of it."""
        params = {} if tail is None else {"tail": str(tail)}
        response = yield from self.server.request(self._build_request("GET", "log", params=params))
        return response.text

    def metrics(self) -> Steps[list[dict[str, Any]]]:
        """Return the history of the metrics, oldest first."""
        return list((yield from self._request_json("GET", "metrics")))

    def artifacts(self) -> Steps[list[dict[str, Any]]]:
        """Return the files that the training left."""
        return list((yield from self._request_json("GET", "artifacts", "")))

    def provenance(self) -> Steps[dict[str, Any]]:
        """Return all that tells how the training came to be."""
        return dict((yield from self._request_json("GET", "provenance")))

    def artifact(self, name: str) -> Steps[bytes]:
        """Return the content of a file that the training left."""
        response = yield from self.server.request(self._build_artifact_request(name))
        return response.content

    def download(self, name: str, path: Path) -> Steps[Path]:
        """Write a file that the training left to `path`, as it comes."""
        yield from self.server.request(self._build_artifact_request(name), OpenStream)
        return (yield from _write_stream(path))

    def events(self, convert: Callable[[Event], Any]) -> Steps[None]:
        """Find what `convert` makes of each event, unless that is nothing, until the training ends.

        A lost connection is taken up where it was lost. All that the server sends renews the patience.
        """
        reader = EventReader()
        patience = RetryBudget(self.server.options.retry_timeout_s)
        while not reader.has_finished:
            received = reader.received_bytes
            problem = yield from self._read_connection(reader, convert)
            if reader.received_bytes != received:
                patience = RetryBudget(self.server.options.retry_timeout_s)
            if problem:
                yield patience.schedule_retry(problem)

    def _read_connection(
        self, reader: EventReader, convert: Callable[[Event], Any]
    ) -> Steps[ServerUnreachable | None]:
        """Find what one connection brings; return why there is no more, if that is not the training's end."""
        reader.start_connection()
        headers = {"Last-Event-ID": reader.last_id} if reader.last_id else {}
        request = self._build_request("GET", "events", has_read_timeout=False, headers=headers)
        try:
            yield from self.server.request(request, OpenStream)
            while chunk := (yield ReadChunk()):
                for found in map(convert, reader.feed(chunk)):
                    if found is not None:
                        yield EmitItem(found)
        except ServerUnreachable as error:
            return error
        return None if reader.has_finished else ServerUnreachable("The events ended before the training.")

    def _request_json(self, method: str, *segments: str, **options: Any) -> Steps[Any]:
        return decode_json(
            (yield from self.server.request(self._build_request(method, *segments, **options)))
        )

    def _build_artifact_request(self, name: str) -> Request:
        request = self._build_request("GET", "artifacts", *name.split("/"))
        return request._replace(error_context=ErrorContext(ArtifactNotFound))

    def _build_request(
        self, method: str, *segments: str, has_read_timeout: bool = True, **options: Any
    ) -> Request:
        path = build_path(self.model, "train", self.uuid, *segments)
        return Request(method, path, lambda _: options, ErrorContext(TrainingNotFound), has_read_timeout)


def _require_done(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a training that is done. Raise `TrainingFailed` for any other."""
    if record["status"] != "done":
        said = record.get("message") or f"it was {record['status']}"
        raise TrainingFailed(f"The training {record['uuid']} is not done: {said}", record)
    return record


def _write_stream(path: Path) -> Steps[Path]:
    """Write the response that is open to a file, which is there when it is complete, or not at all."""
    with atomic_write(path) as file:
        while chunk := (yield ReadChunk()):
            file.write(chunk)
    return path
