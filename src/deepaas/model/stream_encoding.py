"""Encodes the items of a stream."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import marshmallow

from deepaas.errors import InvalidResponse
from deepaas.messages import Envelope
from deepaas.model import rendering
from deepaas.model.media_types import ANY, check_media_type, is_wildcard, resolve_wildcard

JSON_LINES = "application/x-ndjson"
EVENT_STREAM = "text/event-stream"
_LINE_SUFFIXES = ("ndjson", "jsonl")


def is_stream(value: Any) -> bool:
    """Say whether the value is a generator or another iterator; an open file is not."""
    return isinstance(value, Iterator | AsyncIterator) and not rendering.is_open_file(value)


def reject_stream(result: Any) -> Any:
    """Return what `predict_batch` returned for one call. Raise `InvalidResponse` for a stream."""
    if is_stream(result):
        raise InvalidResponse(
            f"predict_batch() returned a {type(result).__name__} for a call. Only predict() can stream."
        )
    return result


def iterate_sync(stream: Iterator[Any] | AsyncIterator[Any]) -> Iterator[Any]:
    """Return an iterator over the stream's items, also where it is an asynchronous one."""
    return _drive_async(stream) if isinstance(stream, AsyncIterator) else stream


def get_stream_media_type(media_type: str | None, *, prefers_events: bool = False) -> str:
    """Return the media type that a stream is sent as, to a caller that accepts `media_type`.

    JSON, which `None` stands for, becomes JSON lines, or server-sent events for one that prefers them.
    """
    if media_type is None:
        return EVENT_STREAM if prefers_events else JSON_LINES
    bare = _strip_parameters(media_type)
    return JSON_LINES if bare.endswith("json") and not bare.endswith(_LINE_SUFFIXES) else media_type


def get_item_terminator(media_type: str) -> bytes | None:
    """Return what every item of a stream ends with, or nothing where items cannot be told apart."""
    bare = _strip_parameters(media_type)
    if bare == EVENT_STREAM:
        return b"\n\n"
    return b"\n" if bare.endswith(_LINE_SUFFIXES) else None


class StreamEncoder:
    """How the items of one stream become bytes of `media_type`.

    JSON lines and server-sent events hold an item's JSON each, and it is checked against the model's
    schema; any other type is bytes or text as they are. A caller that takes any type gets bytes when the
    first item is bytes, else what it would get without a media type. Where `media_type` has a wildcard,
    `requested_type` is the concrete one that the client named, if it did.
    """

    def __init__(
        self,
        media_type: str | None,
        schema: marshmallow.Schema | None,
        *,
        prefers_events: bool,
        requested_type: str | None = None,
    ) -> None:
        self._is_type_resolved = not is_wildcard(media_type or JSON_LINES)
        self._requested_type = requested_type
        self._wildcard = media_type or ANY
        known = None if media_type == ANY else media_type
        self.media_type = get_stream_media_type(known, prefers_events=prefers_events)
        check_media_type(self.media_type)
        self._response_format = rendering.ResponseFormat(schema, Envelope.NONE)

    def encode(self, item: Any) -> bytes:
        """Return the item as bytes. Raise `InvalidResponse`, with a message for the author."""
        if not self._is_type_resolved:
            self._is_type_resolved = True
            if isinstance(item, bytes | bytearray | memoryview):
                self.media_type = resolve_wildcard(
                    self._wildcard, name="", head=bytes(item), requested=self._requested_type
                )
        end = get_item_terminator(self.media_type)
        if end is None:
            return _encode_raw(item, self.media_type)
        begin = b"data: " if _strip_parameters(self.media_type) == EVENT_STREAM else b""
        return begin + rendering.render_json(item, self._response_format) + end


def _strip_parameters(media_type: str) -> str:
    """Return the media type without its parameters."""
    return media_type.partition(";")[0].strip().lower()


def _encode_raw(item: Any, media_type: str) -> bytes:
    if isinstance(item, bytes | bytearray | memoryview):
        return bytes(item)
    if isinstance(item, str):
        return item.encode()
    raise InvalidResponse(
        f"predict() yielded {type(item).__name__} where {media_type} was asked for. Yield bytes or text."
    )


def _drive_async(stream: AsyncIterator[Any]) -> Iterator[Any]:
    """Yield the items of an asynchronous stream; its loop runs while the next one is waited for."""
    import asyncio  # noqa: PLC0415 - few models need it, and it takes an eighth of a worker's start

    with asyncio.Runner() as runner:
        try:
            while True:
                try:
                    item = runner.run(_get_next(stream))
                except StopAsyncIteration:
                    return
                yield item
        finally:
            runner.run(_close_stream(stream))


async def _get_next(stream: AsyncIterator[Any]) -> Any:
    return await anext(stream)


async def _close_stream(stream: Any) -> None:
    if hasattr(stream, "aclose"):
        await stream.aclose()
