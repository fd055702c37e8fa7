"""A result that comes item by item, sent to the server while the model makes it. Runs in the worker."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import marshmallow

from deepaas.log import get_logger
from deepaas.messages import Body, Call, Chunk, Message
from deepaas.model.streaming import Rendering, items_of
from deepaas.workers.marker import Marker

_PIECE_BYTES = 1 << 16
_log = get_logger(__name__)


class Sending:
    """Sends the streams of one worker."""

    def __init__(
        self, send: Callable[[Message, int], None], marker: Marker, schema: marshmallow.Schema | None
    ) -> None:
        self._send = send
        self._marker = marker
        self._schema = schema

    def send(self, result: Any, call: Call, number: int, began: float) -> tuple[Body, float]:
        """Send what `result` yields until it ends, or the server has given the call up; then close it.

        `began` is when the call did, by `time.perf_counter`. Return how the stream ends, and the seconds that
        rendering took. Raise what the model's code raises, and `UnfitResponse`.
        """
        rendering = Rendering(
            call.media_type,
            self._schema,
            prefers_events=call.prefers_events,
            requested_type=call.requested_type,
        )
        items = items_of(result)
        render_s = 0.0
        try:
            for item in items:
                rendering_began = time.perf_counter()
                content = rendering.render(item)
                now = time.perf_counter()
                render_s += now - rendering_began
                for piece in _pieces(content):
                    self._send(Chunk(rendering.media_type, piece, now - began), number)
                if self._marker.given_up == number:
                    _log.debug("The client has left: the stream is ended")
                    break
        finally:
            _close(items)
        return Body(rendering.media_type, b""), render_s


def _pieces(content: bytes) -> Iterator[bytes]:
    """Cut what is long, so that the server never holds much of it."""
    for offset in range(0, len(content), _PIECE_BYTES):
        yield content[offset : offset + _PIECE_BYTES]


def _close(items: Iterator[Any]) -> None:
    """Let a generator clean up after itself; when that fails, the answer is what it was."""
    close = getattr(items, "close", None)
    try:
        if close:
            close()
    except Exception:  # noqa: BLE001 - the author's code may raise anything
        _log.exception("What predict() returned could not be closed")
