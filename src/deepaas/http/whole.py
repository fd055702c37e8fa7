"""A small request, read without a stream: its head and all of its body, in one piece or a few.

It must not know what is asked.
"""

from typing import Any

import httptools
from aiohttp import hdrs
from multidict import CIMultiDict
from yarl import URL

LARGEST_BYTES = 1 << 20
_MOST_HEADERS = 100


class WholeRequest:
    """A request that is fed piece by piece; `pieces` is all that was fed, `size` how many bytes that is.

    `headers` and `url` are there when `has_head`, `body` when `is_complete`.
    """

    __slots__ = (
        "_begun",
        "_contents",
        "_fields",
        "_is_broken",
        "_is_post",
        "_parser",
        "_target",
        "_version",
        "has_head",
        "headers",
        "is_complete",
        "pieces",
        "size",
        "url",
    )

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.has_head = False
        self.is_complete = False
        self._contents: list[bytes] = []
        self._begun = 0
        self._fields: list[tuple[str, str]] = []
        self._is_broken = False
        self._is_post = False
        self.size = 0
        self._target = b""
        self._version = ""
        self._parser: Any = httptools.HttpRequestParser(self)

    def feed(self, piece: bytes) -> None:
        """Read one more piece. None may follow the last one, nor one that made the request unusual."""
        self.pieces.append(piece)
        self.size += len(piece)
        try:
            self._parser.feed_data(piece)
            if self.has_head:
                self._version = self._parser.get_http_version()
                self._is_post = self._parser.get_method() == b"POST"
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, ValueError):
            self._is_broken = True
        if self.is_complete or not self.is_usual:
            # It holds this object, and would keep it alive until the collector comes.
            self._parser = None

    @property
    def is_usual(self) -> bool:
        """Whether this is one small POST of today's HTTP, as far as it has come."""
        return (
            self.has_head
            and not self._is_broken
            and self._begun == 1
            and self.size <= LARGEST_BYTES
            and len(self._fields) <= _MOST_HEADERS
            and self._version == "1.1"
            and self._is_post
        )

    @property
    def head_size(self) -> int:
        """How many bytes the head has; more than there can be when it did not come in one piece."""
        found = self.pieces[0].find(b"\r\n\r\n")
        return found if found >= 0 else LARGEST_BYTES

    @property
    def body(self) -> bytes:
        """The body."""
        contents = self._contents
        return contents[0] if len(contents) == 1 else b"".join(contents)

    @property
    def content_type(self) -> str:
        """The media type of the body, without its parameters; empty when the request does not say."""
        return self.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()

    @property
    def keeps_alive(self) -> bool:
        """Whether another request may follow on the connection."""
        return "close" not in self.headers.get(hdrs.CONNECTION, "").lower()

    # What the parser calls, by the names that it looks for.

    def on_message_begin(self) -> None:
        """Count the requests in what was fed."""
        self._begun += 1

    def on_url(self, target: bytes) -> None:
        """Take what is asked for."""
        self._target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._fields.append((name.decode(), value.decode("utf-8", "surrogateescape")))

    def on_headers_complete(self) -> None:
        """Make the head ready to be looked at."""
        self.url = URL(self._target.decode(), encoded=True)
        self.headers = CIMultiDict(self._fields)
        self.has_head = True

    def on_body(self, content: bytes) -> None:
        """Take a part of the body."""
        self._contents.append(content)

    def on_message_complete(self) -> None:
        """Note that this is all."""
        self.is_complete = True
