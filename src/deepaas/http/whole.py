"""A small request, read without a stream: its head and all of its body, in one piece or a few.

It must not know what is asked.
"""

import httptools
from aiohttp import hdrs
from multidict import CIMultiDict
from yarl import URL

LARGEST_BYTES = 1 << 20
_MOST_HEADERS = 100
_END_OF_HEAD = b"\r\n\r\n"


class WholeRequest:
    """A request that is fed piece by piece; `pieces` is all that was fed, `size` how many bytes that is.

    `headers` and `url` are there when `has_head`, which has `head_size` bytes.
    """

    __slots__ = (
        "_begun",
        "_fields",
        "_is_broken",
        "_is_post",
        "_target",
        "_version",
        "_whole_size",
        "has_head",
        "head_size",
        "headers",
        "pieces",
        "size",
        "url",
    )

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0
        self.has_head = False
        self.head_size = 0
        self._begun = 0
        self._fields: list[tuple[str, str]] = []
        self._is_broken = False
        self._is_post = False
        self._target = b""
        self._version = ""
        self._whole_size = 0

    def feed(self, piece: bytes) -> None:
        """Read one more piece. None may follow the last one, nor one that made the request unusual."""
        self.pieces.append(piece)
        self.size += len(piece)
        if not self.has_head:
            self._read_head(piece)

    @property
    def is_usual(self) -> bool:
        """Whether this is one small POST of today's HTTP, as far as it has come."""
        return (
            self.has_head
            and not self._is_broken
            and self._begun == 1
            and self.size <= self._whole_size <= LARGEST_BYTES
            and len(self._fields) <= _MOST_HEADERS
            and self._version == "1.1"
            and self._is_post
            and hdrs.TRANSFER_ENCODING not in self.headers
        )

    @property
    def is_complete(self) -> bool:
        """Whether all of a usual request has come."""
        return self.size == self._whole_size

    @property
    def body(self) -> list[bytes]:
        """The body, in as many pieces as it came in; none when there is no body."""
        first, *others = self.pieces
        first = first[self.head_size :]
        return [first, *others] if first else others

    @property
    def content_type(self) -> str:
        """The media type of the body, without its parameters; empty when the request does not say."""
        return self.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()

    @property
    def keeps_alive(self) -> bool:
        """Whether another request may follow on the connection."""
        return "close" not in self.headers.get(hdrs.CONNECTION, "").lower()

    def _read_head(self, piece: bytes) -> None:
        """Read the head, which must be in one piece; what follows it is not looked at."""
        end = piece.find(_END_OF_HEAD)
        if end < 0:
            return
        self.head_size = end + len(_END_OF_HEAD)
        parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(piece[: self.head_size])
            if not self.has_head:
                return  # empty lines, or another protocol's greeting
            self._version = parser.get_http_version()
            self._is_post = parser.get_method() == b"POST"
            # The parser has made sure that there is one length at the most, and that it is a number.
            self._whole_size = self.head_size + int(self.headers.get(hdrs.CONTENT_LENGTH, "0"))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, ValueError):
            self._is_broken = True

    # What the parser calls, by the names that it looks for.

    def on_message_begin(self) -> None:
        """Count the requests in what is taken for one head."""
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

    def on_body(self, _: bytes) -> None:
        """Note that the parser found an end of the head before ours."""
        self._is_broken = True
