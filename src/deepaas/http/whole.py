"""A request that came whole, in one piece: read at once, without a stream and without waiting.

It must not know what is asked.
"""

import httptools
from aiohttp import hdrs
from multidict import CIMultiDict
from yarl import URL

LARGEST_BYTES = 1 << 16
_MOST_HEADERS = 100


class WholeRequest:
    """A request with all of its body."""

    __slots__ = ("_begun", "_fields", "_is_complete", "_target", "body", "headers", "url")

    def __init__(self) -> None:
        self.body = b""
        self._is_complete = False
        self._begun = 0
        self._target = b""
        self._fields: list[tuple[str, str]] = []

    @property
    def is_alone(self) -> bool:
        """Whether the request is complete, and nothing of another follows it."""
        return self._is_complete and self._begun == 1 and len(self._fields) <= _MOST_HEADERS

    @property
    def keeps_alive(self) -> bool:
        """Whether another request may follow on the connection."""
        return "close" not in self.headers.get(hdrs.CONNECTION, "").lower()

    @property
    def content_type(self) -> str:
        """The media type of the body, without its parameters; empty when the request does not say."""
        return self.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()

    # What the parser calls, by the names that it looks for.

    def on_message_begin(self) -> None:
        """Count the requests in this piece."""
        self._begun += 1

    def on_url(self, target: bytes) -> None:
        """Take what is asked for."""
        self._target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._fields.append((name.decode(), value.decode("utf-8", "surrogateescape")))

    def on_body(self, content: bytes) -> None:
        """Take a part of the body."""
        self.body += content

    def on_message_complete(self) -> None:
        """Make the request ready to be looked at."""
        self.url = URL(self._target.decode(), encoded=True)
        self.headers = CIMultiDict(self._fields)
        self._is_complete = True


def read_whole(piece: bytes) -> WholeRequest | None:
    """Return the one request that `piece` is, or nothing when it is less, more, or anything unusual."""
    request = WholeRequest()
    parser = httptools.HttpRequestParser(request)
    try:
        parser.feed_data(piece)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade, ValueError):
        return None
    if not request.is_alone or parser.get_http_version() != "1.1":
        return None
    return request
