"""A result that comes item by item: what counts as one, and each item as the bytes that are sent.

It must not know HTTP, nor where the bytes go.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import marshmallow

from deepaas.errors import UnfitResponse
from deepaas.messages import Envelope
from deepaas.model import output
from deepaas.model.media_types import ANY, check_media_type, concrete, is_wildcard

LINES = "application/x-ndjson"
EVENTS = "text/event-stream"
_LINE_TYPES = ("ndjson", "jsonl")


def is_stream(value: Any) -> bool:
    """Say whether the value is a generator or another iterator; an open file is not."""
    return isinstance(value, Iterator | AsyncIterator) and not output.is_open_file(value)


def whole(result: Any) -> Any:
    """Return what `predict_batch` returned for one call. Raise `UnfitResponse` for a stream."""
    if is_stream(result):
        raise UnfitResponse(
            f"predict_batch() returned a {type(result).__name__} for a call. Only predict() can stream."
        )
    return result


def items_of(stream: Iterator[Any] | AsyncIterator[Any]) -> Iterator[Any]:
    """Return an iterator over the stream's items, also where it is an asynchronous one."""
    return _driven(stream) if isinstance(stream, AsyncIterator) else stream


def streamed_type(media_type: str | None, *, prefers_events: bool = False) -> str:
    """Return the media type that a stream is sent as, to a caller that accepts `media_type`.

    JSON, which `None` stands for, becomes JSON lines, or server-sent events for one that prefers them.
    """
    if media_type is None:
        return EVENTS if prefers_events else LINES
    bare = _bare(media_type)
    return LINES if bare.endswith("json") and not bare.endswith(_LINE_TYPES) else media_type


def end_of_item(media_type: str) -> bytes | None:
    """Return what every item of a stream ends with, or nothing where items cannot be told apart."""
    bare = _bare(media_type)
    if bare == EVENTS:
        return b"\n\n"
    return b"\n" if bare.endswith(_LINE_TYPES) else None


class Rendering:
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
        self._is_settled = not is_wildcard(media_type or LINES)
        self._requested_type = requested_type
        self._wildcard = media_type or ANY
        known = None if media_type == ANY else media_type
        self.media_type = streamed_type(known, prefers_events=prefers_events)
        check_media_type(self.media_type)
        self._form = output.Form(schema, Envelope.NONE)

    def render(self, item: Any) -> bytes:
        """Return the item as bytes. Raise `UnfitResponse`, with a message for the author."""
        if not self._is_settled:
            self._is_settled = True
            if isinstance(item, bytes | bytearray | memoryview):
                self.media_type = concrete(
                    self._wildcard, name="", head=bytes(item), requested=self._requested_type
                )
        end = end_of_item(self.media_type)
        if end is None:
            return _raw(item, self.media_type)
        begin = b"data: " if _bare(self.media_type) == EVENTS else b""
        return begin + output.json_body(item, self._form) + end


def _bare(media_type: str) -> str:
    """Return the media type without its parameters."""
    return media_type.partition(";")[0].strip().lower()


def _raw(item: Any, media_type: str) -> bytes:
    if isinstance(item, bytes | bytearray | memoryview):
        return bytes(item)
    if isinstance(item, str):
        return item.encode()
    raise UnfitResponse(
        f"predict() yielded {type(item).__name__} where {media_type} was asked for. Yield bytes or text."
    )


def _driven(stream: AsyncIterator[Any]) -> Iterator[Any]:
    """Yield the items of an asynchronous stream; its loop runs while the next one is waited for."""
    with asyncio.Runner() as runner:
        try:
            while True:
                try:
                    item = runner.run(_next(stream))
                except StopAsyncIteration:
                    return
                yield item
        finally:
            runner.run(_close(stream))


async def _next(stream: AsyncIterator[Any]) -> Any:
    return await anext(stream)


async def _close(stream: Any) -> None:
    if hasattr(stream, "aclose"):
        await stream.aclose()
