"""Parses the server-sent events of a training."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple


class Event(NamedTuple):
    """An event of a training: `kind` is state, progress, metrics, log, unfinished or end.

    `content` of state and end is the training's record; of log and unfinished it is ``{"line": …}``. An
    unfinished line is still changing, such as a progress bar; a log event follows when it is complete.
    """

    id: str
    kind: str
    content: Any

    @property
    def line(self) -> str | None:
        """The printed line of a log event, else `None`."""
        return str(self.content["line"]) if self.kind == "log" else None


class EventReader:
    """Incremental parser of events, across reconnections."""

    def __init__(self) -> None:
        self.last_id = ""
        self.has_finished = False
        self.received_bytes = 0
        self._buffer = b""
        self._fields: dict[str, str] = {}

    def start_connection(self) -> None:
        """Discard an incomplete event: the new connection sends it again."""
        self._buffer = b""
        self._fields = {}

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events that this chunk completes."""
        self.received_bytes += len(chunk)
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b":"):
                continue  # a comment, which keeps the connection alive
            if line:
                name, _, value = line.decode().partition(": ")
                self._fields[name] = value
            elif "data" in self._fields:
                yield self._build_event()

    def _build_event(self) -> Event:
        values = self._fields
        self._fields = {}
        self.last_id = values.get("id", self.last_id)
        self.has_finished = values.get("event") == "end"
        return Event(self.last_id, values.get("event", ""), json.loads(values["data"]))
