"""The server's end of a streamed result."""

import asyncio
from collections.abc import Callable
from typing import Protocol, Self

from deepaas.errors import PredictionFailed
from deepaas.messages import Body, Failure

_HIGH_WATER_BYTES = 1 << 18


class Pausable(Protocol):
    """What a stream comes from."""

    def pause(self) -> None:
        """Let nothing more come for now."""

    def resume(self) -> None:
        """Let more come."""


class ResultStream:
    """A streamed result for one reader, who should use it as a context manager.

    When more than 256 KiB wait to be read, the source is paused. A reader that leaves before the end is
    told to `on_disconnect`. `queue_s` is how long the call waited for its worker.
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
        """Return what has come since the last time, as soon as there is anything; nothing at the end.

        Raise `PredictionFailed`, `WorkerDied` or `PredictionTimeout` when that is the end, and all that came
        before it has been read.
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
        """Take what came."""
        if self._is_finished:
            return
        self._buffer += content
        self._changed.set()
        if len(self._buffer) > _HIGH_WATER_BYTES and not self._is_paused:
            self._is_paused = True
            self._source.pause()

    def finish(self, outcome: Body | Failure) -> None:
        """Take what came of the call in the end."""
        if isinstance(outcome, Failure):
            self.fail(PredictionFailed(outcome.message, status=outcome.status, detail=outcome.traceback))
        else:
            self._mark_finished(None)

    def fail(self, error: Exception) -> None:
        """End the stream with an error, unless it has ended."""
        self._mark_finished(error)

    def close(self) -> None:
        """Let go of what was not read; nobody reads any more."""
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
        # The source is needed for what comes after this stream.
        self._resume()

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._source.resume()
