"""Events of a training."""

from typing import Any, NamedTuple

from httpx_sse import ServerSentEvent


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


def parse_event(message: ServerSentEvent) -> Event | None:
    """Return the event of a message; `None` for an empty one, as which httpx-sse yields a comment."""
    return Event(message.id, message.event, message.json()) if message.data else None
