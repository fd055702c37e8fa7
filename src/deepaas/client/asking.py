"""Requests about models and trainings, as steps (see `steps`)."""

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from deepaas.atomic_files import atomic_write
from deepaas.client.answers import ErrorContext, decode_body, decode_json
from deepaas.client.argument_encoding import EncodedArguments, encode_arguments
from deepaas.client.following import Event, EventReader
from deepaas.client.steps import EmitItem, OpenStream, ReadChunk, SendRequest, Sleep, Steps
from deepaas.client.transport import Request, RetryBudget, ServerApi, build_path
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
    """Return the metadata of every model on the server."""
    response = yield from server.request(Request("GET", "/v2/models/", error_context=_LISTING_CONTEXT))
    return list(decode_json(response)["models"])


class ModelApi(NamedTuple):
    """A model on a server, by its name."""

    server: ServerApi
    name: str

    def metadata(self) -> Steps[dict[str, Any]]:
        """Return the model's metadata."""
        return self._request_json("GET", f"{build_path(self.name)}/")

    def argument_schemas(self, function: str) -> Steps[dict[str, dict[str, Any]]]:
        """Return the JSON Schema of each argument of `predict` or `train`."""
        specification = yield from self.server.fetch_schema()
        found = specification.get_function(self.name, function).arguments
        return {name: {**argument.schema} for name, argument in found.items()}

    def predict(self, arguments: Mapping[str, Any]) -> Steps[Any]:
        """Return a prediction: decoded JSON, text or bytes."""
        return decode_body((yield from self._call_function("predict", arguments, _PREDICTION_CONTEXT)))

    def predict_to_file(self, path: Path, arguments: Mapping[str, Any]) -> Steps[Path]:
        """Write a prediction to a file, in chunks as they arrive."""
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
        """Replace the model's workers with new ones; return their number."""
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
        """Encode by the cached OpenAPI document; if the arguments do not match it, fetch it again."""
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
        """Return the current record."""
        return dict((yield from self._request_json("GET")))

    def wait(self, timeout_s: float | None) -> Steps[dict[str, Any]]:
        """Return the record when the training is done.

        Raise `TrainingFailed` when it ends with another status, and `TimeoutError` after `timeout_s`.
        """
        end = time.monotonic() + (math.inf if timeout_s is None else timeout_s)
        interval_s = _INITIAL_POLL_INTERVAL_S
        while True:
            response = yield from self.server.request(self._build_request("GET"), retry_on_disconnect=True)
            record = dict(decode_json(response))
            if record["status"] != "running":
                return _require_done(record)
            left_s = end - time.monotonic()
            if left_s <= 0:
                raise TimeoutError(f"The training {self.uuid} is not done after {timeout_s:g} s.")
            yield Sleep(min(interval_s, left_s))
            interval_s = min(_POLL_BACKOFF_FACTOR * interval_s, _MAX_POLL_INTERVAL_S)

    def cancel(self, *, purge: bool) -> Steps[dict[str, Any]]:
        """Cancel the training and return its record. With `purge`, delete its record and files."""
        params = {"purge": "true"} if purge else {}
        return dict((yield from self._request_json("DELETE", params=params)))

    def log(self, tail: int | None) -> Steps[str]:
        """Return the training's output so far, or its last `tail` lines."""
        params = {} if tail is None else {"tail": str(tail)}
        response = yield from self.server.request(self._build_request("GET", "log", params=params))
        return response.text

    def metrics(self) -> Steps[list[dict[str, Any]]]:
        """Return all reported metrics, oldest first."""
        return list((yield from self._request_json("GET", "metrics")))

    def artifacts(self) -> Steps[list[dict[str, Any]]]:
        """Return the training's artifacts, each with size and SHA-256."""
        return list((yield from self._request_json("GET", "artifacts", "")))

    def provenance(self) -> Steps[dict[str, Any]]:
        """Return the arguments, files, packages and machine that the training used."""
        return dict((yield from self._request_json("GET", "provenance")))

    def artifact(self, name: str) -> Steps[bytes]:
        """Return the content of an artifact."""
        response = yield from self.server.request(self._build_artifact_request(name))
        return response.content

    def download(self, name: str, path: Path) -> Steps[Path]:
        """Write an artifact to the file `path`, in chunks as they arrive."""
        yield from self.server.request(self._build_artifact_request(name), OpenStream)
        return (yield from _write_stream(path))

    def events(self, convert: Callable[[Event], Any]) -> Steps[None]:
        """Emit `convert(event)` for each event, unless it is `None`, until the training ends.

        After a lost connection, continue with the next event. Any received bytes reset the retry budget.
        """
        reader = EventReader()
        budget = RetryBudget(self.server.options.retry_timeout_s)
        while not reader.has_finished:
            received = reader.received_bytes
            problem = yield from self._read_connection(reader, convert)
            if reader.received_bytes != received:
                budget = RetryBudget(self.server.options.retry_timeout_s)
            if problem:
                yield budget.schedule_retry(problem)

    def _read_connection(
        self, reader: EventReader, convert: Callable[[Event], Any]
    ) -> Steps[ServerUnreachable | None]:
        """Emit the events of one connection; return its error, or `None` when the training has ended."""
        reader.start_connection()
        headers = {"Last-Event-ID": reader.last_id} if reader.last_id else {}
        request = self._build_request("GET", "events", has_read_timeout=False, headers=headers)
        try:
            yield from self.server.request(request, OpenStream)
            while chunk := (yield ReadChunk()):
                for item in map(convert, reader.feed(chunk)):
                    if item is not None:
                        yield EmitItem(item)
        except ServerUnreachable as error:
            return error
        if reader.has_finished:
            return None
        return ServerUnreachable("The event stream ended before the training.")

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
    """Return the record of a training that is done. Raise `TrainingFailed` for any other status."""
    if record["status"] != "done":
        reason = record.get("message") or f"it was {record['status']}"
        raise TrainingFailed(f"The training {record['uuid']} did not complete: {reason}", record)
    return record


def _write_stream(path: Path) -> Steps[Path]:
    """Write the open response to a file, atomically: an incomplete response leaves no file."""
    with atomic_write(path) as file:
        while chunk := (yield ReadChunk()):
            file.write(chunk)
    return path
