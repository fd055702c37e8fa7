"""The server's end of a streamed result."""

import asyncio
from collections.abc import Callable
from typing import Protocol, Self

from deepaas.errors import PredictionFailed
from deepaas.messages import Body, Failure

_HIGH_WATER_BYTES = 1 << 18


class Pausable(Protocol):
    """The source of a stream, with flow control."""

    def pause(self) -> None:
        """Stop delivering chunks."""

    def resume(self) -> None:
        """Continue delivering chunks."""


class ResultStream:
    """A streamed result for one reader, which should use it as a context manager.

    The source is paused while more than 256 KiB are unread. `on_disconnect` is called when the reader closes
    the stream before its end. `queue_s` is the time that the call was queued.
    """

    def __init__(
        self, media_type: str, queue_s: float, source: Pausable, on_disconnect: Callable[[], None]
    ) -> None:
        self.media_type = media_type
        self.queue_s = queue_s
        self._source = source
        self._on_disconnect = on_disconnect
        self._buffer = bytearray()
        self._changed = asyncio.Event()
        self._is_paused = False
        self._is_finished = False
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def read(self) -> bytes:
        """Wait for unread bytes and return them all; return empty bytes at the end.

        If the call failed, raise `PredictionFailed`, `WorkerDied` or `PredictionTimeout` at the end.
        """
        while not (self._buffer or self._is_finished):
            self._changed.clear()
            await self._changed.wait()
        content = bytes(self._buffer)
        self._buffer.clear()
        self._resume()
        if self._error and not content:
            raise self._error
        return content

    def feed(self, content: bytes) -> None:
        """Append bytes for the reader; ignored after the end."""
        if self._is_finished:
            return
        self._buffer += content
        self._changed.set()
        if len(self._buffer) > _HIGH_WATER_BYTES and not self._is_paused:
            self._is_paused = True
            self._source.pause()

    def finish(self, outcome: Body | Failure) -> None:
        """End the stream with the call's outcome; the content of a body is ignored."""
        if isinstance(outcome, Failure):
            self.fail(PredictionFailed(outcome.message, status=outcome.status, detail=outcome.traceback))
        else:
            self._mark_finished(None)

    def fail(self, error: Exception) -> None:
        """End the stream with an error, unless it has finished."""
        self._mark_finished(error)

    def close(self) -> None:
        """Discard unread bytes; before the end of the stream, also call `on_disconnect`."""
        has_left = not self._is_finished
        self._mark_finished(None)
        self._buffer.clear()
        if has_left:
            self._on_disconnect()

    def _mark_finished(self, error: Exception | None) -> None:
        if self._is_finished:
            return
        self._is_finished = True
        self._error = error
        self._changed.set()
        # The source also delivers later calls.
        self._resume()

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._source.resume()
