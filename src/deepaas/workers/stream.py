"""A result as it comes, on the server's side: what is not read yet, and how it ended.

It must not know where it comes from nor who reads it.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, Self

from deepaas.errors import PredictionFailed
from deepaas.messages import Body, Failed

_WINDOW_BYTES = 1 << 18


class Source(Protocol):
    """What a stream comes from."""

    def pause(self) -> None:
        """Let nothing more come for now."""

    def resume(self) -> None:
        """Let more come."""


class Stream:
    """A streamed result for one reader, who should use it as a context manager.

    When more than 256 KiB wait to be read, the source is paused. A reader that leaves before the end is
    told to `on_left`. `queue_s` is how long the call waited for its worker.
    """

    def __init__(self, media_type: str, queue_s: float, source: Source, on_left: Callable[[], None]) -> None:
        self.media_type = media_type
        self.queue_s = queue_s
        self._source = source
        self._on_left = on_left
        self._content = bytearray()
        self._changed = asyncio.Event()
        self._is_paused = False
        self._is_over = False
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def read(self) -> bytes:
        """Return what has come since the last time, as soon as there is anything; nothing at the end.

        Raise `PredictionFailed`, `WorkerLost` or `PredictionTimedOut` when that is the end, and all that came
        before it has been read.
        """
        while not (self._content or self._is_over):
            self._changed.clear()
            await self._changed.wait()
        content = bytes(self._content)
        self._content.clear()
        self._resume()
        if self._error and not content:
            raise self._error
        return content

    def add(self, content: bytes) -> None:
        """Take what came."""
        if self._is_over:
            return
        self._content += content
        self._changed.set()
        if len(self._content) > _WINDOW_BYTES and not self._is_paused:
            self._is_paused = True
            self._source.pause()

    def end(self, outcome: Body | Failed) -> None:
        """Take what came of the call in the end."""
        if isinstance(outcome, Failed):
            self.fail(PredictionFailed(outcome.message, status=outcome.status, detail=outcome.traceback))
        else:
            self._finish(None)

    def fail(self, error: Exception) -> None:
        """End the stream with an error, unless it has ended."""
        self._finish(error)

    def close(self) -> None:
        """Let go of what was not read; nobody reads any more."""
        has_left = not self._is_over
        self._finish(None)
        self._content.clear()
        if has_left:
            self._on_left()

    def _finish(self, error: Exception | None) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._error = error
        self._changed.set()
        # The source is needed for what comes after this stream.
        self._resume()

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._source.resume()
