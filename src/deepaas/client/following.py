"""Server-sent events, as bytes bring them."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple


class Event(NamedTuple):
    """Something that happened in a training: `kind` is state, progress, metrics, log, unfinished or end.

    `content` of state and end is the training's record; of log it is ``{"line": …}``. So it is of unfinished,
    for the line that is being printed, such as a progress bar; when it is finished, a log event has it.
    """

    id: str
    kind: str
    content: Any

    @property
    def line(self) -> str | None:
        """The line that was printed, when this is one."""
        return str(self.content["line"]) if self.kind == "log" else None


class EventReader:
    """Turns bytes, however they were cut, into events, over as many connections as it takes."""

    def __init__(self) -> None:
        self.last_id = ""
        self.has_finished = False
        self.received_bytes = 0
        self._buffer = b""
        self._fields: dict[str, str] = {}

    def start_connection(self) -> None:
        """Take note of a new connection, which repeats what the last one cut off."""
        self._buffer = b""
        self._fields = {}

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events that are complete with this chunk."""
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
        found = self._fields
        self._fields = {}
        self.last_id = found.get("id", self.last_id)
        self.has_finished = found.get("event") == "end"
        return Event(self.last_id, found.get("event", ""), json.loads(found["data"]))
