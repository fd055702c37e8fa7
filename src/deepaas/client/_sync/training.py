# Generated from _async/training.py by tools/sync_client.py; do not edit.
"""A training of a model."""

import contextlib
import math
import time
from collections.abc import Generator
from os import PathLike
from pathlib import Path
from typing import Any

import httpx
from httpx_sse import EventSource

from deepaas.client._events import Event, parse_event
from deepaas.client._requests import Request, RetryBudget, build_path, build_timeout
from deepaas.client._responses import ErrorContext, decode_json, require_done, translate_request_errors
from deepaas.client._sync.transport import Transport
from deepaas.errors import ArtifactNotFound, ServerUnreachable, TrainingNotFound

_INITIAL_POLL_INTERVAL_S = 0.1
_MAX_POLL_INTERVAL_S = 5.0
_POLL_BACKOFF_FACTOR = 1.5


class Training:
    """A training; get it from `Model.train` or `Model.training`."""

    def __init__(self, transport: Transport, model: str, uuid: str) -> None:
        self._transport = transport
        self._model = model
        self._uuid = uuid

    def __repr__(self) -> str:
        return f"<Training {self.uuid} of {self._model}>"

    @property
    def uuid(self) -> str:
        """The training's id."""
        return self._uuid

    def record(self) -> dict[str, Any]:
        """Return the current record: `status`, `progress`, `metrics`, `result` and more."""
        return dict(self._request_json("GET"))

    def wait(self, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait until the training is done, and return its record.

        ``["result"]["output"]`` of the record is the return value of `train`. While the server cannot be
        reached, the client retries for up to `retry_timeout_s`. Raise `TrainingFailed`, which has the
        record, if the training ends with another status, and `TimeoutError` after `timeout_s` seconds.
        """
        end = time.monotonic() + (math.inf if timeout_s is None else timeout_s)
        interval_s = _INITIAL_POLL_INTERVAL_S
        while True:
            response = self._transport.request(self._build_request("GET"), retry_on_disconnect=True)
            record = dict(decode_json(response))
            if record["status"] != "running":
                return require_done(record)
            left_s = end - time.monotonic()
            if left_s <= 0:
                raise TimeoutError(f"The training {self.uuid} is not done after {timeout_s:g} s.")
            time.sleep(min(interval_s, left_s))
            interval_s = min(_POLL_BACKOFF_FACTOR * interval_s, _MAX_POLL_INTERVAL_S)

    def cancel(self, *, purge: bool = False) -> dict[str, Any]:
        """Cancel the training and return its record. With `purge`, delete its record and files."""
        return dict(self._request_json("DELETE", params={"purge": "true"} if purge else {}))

    def log(self, tail: int | None = None) -> str:
        """Return the training's output so far, or its last `tail` lines."""
        params = {} if tail is None else {"tail": str(tail)}
        response = self._transport.request(self._build_request("GET", "log", params=params))
        return response.text

    def follow_log(self) -> Generator[str]:
        """Yield each line of the training's output, from the first one, until the training ends."""
        with contextlib.closing(self.events()) as events:
            for event in events:
                if event.line is not None:
                    yield event.line

    def events(self) -> Generator[Event]:
        """Yield all events since the start (states, progress, metrics, log lines), then the final state.

        After a lost connection, continue with the next event.
        """
        headers: dict[str, str] = {}
        budget = RetryBudget(self._transport.retry_timeout_s, retry_on_disconnect=True)
        while True:
            request = self._build_request("GET", "events", headers=headers, timeout=build_timeout(None))
            response = self._transport.request(request, stream=True, retry_on_disconnect=True)
            try:
                with contextlib.closing(_read_events(response)) as events:
                    for event in events:
                        headers = {"Last-Event-ID": event.id}
                        yield event
                        if event.kind == "end":
                            return
            except ServerUnreachable as error:
                if response.num_bytes_downloaded:
                    budget = RetryBudget(self._transport.retry_timeout_s, retry_on_disconnect=True)
                delay_s = budget.spend_delay_s(error)
            time.sleep(delay_s)

    def metrics(self) -> list[dict[str, Any]]:
        """Return all reported metrics, oldest first."""
        return list(self._request_json("GET", "metrics"))

    def artifacts(self) -> list[dict[str, Any]]:
        """Return the training's artifacts, each with its size in bytes and its SHA-256."""
        return list(self._request_json("GET", "artifacts", ""))

    def artifact(self, name: str) -> bytes:
        """Return the content of an artifact. Raise `ArtifactNotFound`."""
        response = self._transport.request(self._build_artifact_request(name))
        return response.content

    def download(self, name: str, path: str | PathLike[str]) -> Path:
        """Write an artifact to the file `path`, and return the path. Raise `ArtifactNotFound`."""
        return self._transport.download(self._build_artifact_request(name), Path(path))

    def provenance(self) -> dict[str, Any]:
        """Return the arguments, files, packages and machine that the training used."""
        return dict(self._request_json("GET", "provenance"))

    def _request_json(self, method: str, *segments: str, **options: Any) -> Any:
        return decode_json(self._transport.request(self._build_request(method, *segments, **options)))

    def _build_artifact_request(self, name: str) -> Request:
        request = self._build_request("GET", "artifacts", *name.split("/"))
        return request._replace(error_context=ErrorContext(ArtifactNotFound))

    def _build_request(self, method: str, *segments: str, **options: Any) -> Request:
        path = build_path(self._model, "train", self.uuid, *segments)
        return Request(method, path, ErrorContext(TrainingNotFound), options=options)


def _read_events(response: httpx.Response) -> Generator[Event]:
    """Yield the events of a response, and close it. Raise `ServerUnreachable` at its end."""
    with contextlib.closing(response):
        with translate_request_errors(response.url):
            for message in EventSource(response).iter_sse():
                if event := parse_event(message):
                    yield event
    raise ServerUnreachable("The event stream ended before the training.")
