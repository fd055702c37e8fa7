"""Encodes the items of a streamed prediction: JSON lines, server-sent events, or raw bytes and text."""

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
    """Return whether the value is a generator or other iterator; an open file does not count."""
    return isinstance(value, Iterator | AsyncIterator) and not rendering.is_open_file(value)


def reject_stream(result: Any) -> Any:
    """Return the result of `predict_batch` for one call. Raise `InvalidResponse` for a stream."""
    if is_stream(result):
        raise InvalidResponse(
            f"predict_batch() returned a {type(result).__name__} for a call. Only predict() can stream."
        )
    return result


def get_stream_media_type(media_type: str | None, *, prefers_events: bool = False) -> str:
    """Return the media type of a stream for a client that accepts `media_type`; `None` is JSON.

    JSON types become JSON lines. With `None`, a client that prefers events gets server-sent events.
    """
    if media_type is None:
        return EVENT_STREAM if prefers_events else JSON_LINES
    bare = _strip_parameters(media_type)
    return JSON_LINES if bare.endswith("json") and not bare.endswith(_LINE_SUFFIXES) else media_type


def get_item_terminator(media_type: str) -> bytes | None:
    """Return the bytes after each item of a stream, or `None` for raw types, which have no separator."""
    bare = _strip_parameters(media_type)
    if bare == EVENT_STREAM:
        return b"\n\n"
    return b"\n" if bare.endswith(_LINE_SUFFIXES) else None


class StreamEncoder:
    """Encodes the items of one stream as `media_type`.

    For JSON lines and server-sent events, each item is validated against the model's schema and encoded as
    JSON. For any other type, items are bytes or text, unchanged. If `media_type` is ``*/*``, the type of the
    first item decides: bytes are sent raw, other items as without a media type. If `media_type` has a
    wildcard, `requested_type` is the concrete type that the client named, if any.
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
        """Return the encoded item. Raise `InvalidResponse`, with advice for the model author."""
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
    return media_type.partition(";")[0].strip().lower()


def _encode_raw(item: Any, media_type: str) -> bytes:
    if isinstance(item, bytes | bytearray | memoryview):
        return bytes(item)
    if isinstance(item, str):
        return item.encode()
    raise InvalidResponse(
        f"predict() yielded {type(item).__name__} for the response type {media_type}. Yield bytes or text."
    )
