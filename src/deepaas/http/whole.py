"""A small request, read without a stream: its head and all of its body, in one piece or a few.

It must not know what is asked.
"""

import functools

import httptools
from aiohttp import hdrs
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

LARGEST_BYTES = 1 << 20
_MOST_HEADERS = 100
_KEPT_HEADS = 64
_END_OF_HEAD = b"\r\n\r\n"
_HOST = hdrs.HOST.lower()
_TRANSFER_ENCODING = hdrs.TRANSFER_ENCODING.lower()


class WholeRequest:
    """A request that is fed piece by piece; `pieces` is all that was fed, `size` how many bytes that is.

    When `has_head`, which has `head_size` bytes, there are `url` and its `path`, as they were sent; `headers`
    and their `names` in lower case; and `keeps_alive`, whether another request may follow on the connection.
    """

    __slots__ = (
        "_is_usual",
        "_whole_size",
        "has_head",
        "head_size",
        "headers",
        "keeps_alive",
        "names",
        "path",
        "pieces",
        "size",
        "url",
    )

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0
        self.has_head = False
        self.head_size = 0
        self._is_usual = False
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
        return self._is_usual and self.size <= self._whole_size <= LARGEST_BYTES

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

    def _read_head(self, piece: bytes) -> None:
        """Read the head, which must be in one piece; what follows it is not looked at."""
        end = piece.find(_END_OF_HEAD)
        if end < 0:
            return
        self.head_size = end + len(_END_OF_HEAD)
        head = _read(piece[: self.head_size])
        if not head.is_there:
            return  # empty lines, or another protocol's greeting
        self.has_head = True
        self.url, self.path = head.url, head.path
        self.headers, self.names = head.headers, head.names
        self.keeps_alive = head.keeps_alive
        self._is_usual = head.is_usual
        self._whole_size = self.head_size + head.body_size


class _Head:
    """The head of a request, and what the parser calls to fill it in."""

    def __init__(self) -> None:
        self.is_there = False
        self.is_usual = False
        self.body_size = 0
        self._begun = 0
        self._is_broken = False
        self._target = b""
        self._fields: list[tuple[str, str]] = []
        self._parser: httptools.HttpRequestParser | None = None

    def read(self, head: bytes) -> None:
        """Read all of a head."""
        self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(head)
            if self.is_there:
                # The parser has made sure that there is one length at the most, and that it is a number.
                self.body_size = int(self.headers.get(hdrs.CONTENT_LENGTH, "0"))
                is_todays_post = (self._parser.get_method(), self._parser.get_http_version()) == (
                    b"POST",
                    "1.1",
                )
                self.is_usual = is_todays_post and self._means_the_same_to_all(head)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, ValueError):
            self.is_usual = False
        finally:
            self._parser = None  # it refers to this object

    def _means_the_same_to_all(self, head: bytes) -> bool:
        """Return whether no reader of the head can take it for another one.

        Which headers may be repeated, and what that means, is left to aiohttp. So is white space behind a
        value: aiohttp strips it, and our parser does not.
        """
        return (
            not self._is_broken
            and self._begun == 1
            and b"#" not in self._target
            and len(self.names) == len(self._fields) <= _MOST_HEADERS
            and b" \r\n" not in head
            and b"\t\r\n" not in head
            and _HOST in self.names
            and _TRANSFER_ENCODING not in self.names
        )

    def on_message_begin(self) -> None:
        """Count the requests in what is taken for one head."""
        self._begun += 1

    def on_url(self, target: bytes) -> None:
        """Take what is asked for."""
        self._target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._fields.append((name.decode(), value.decode()))

    def on_headers_complete(self) -> None:
        """Make the head ready to be looked at."""
        target = self._target.decode()
        self.path = target.partition("?")[0]
        self.url = URL(target, encoded=True)
        self.headers = CIMultiDictProxy(CIMultiDict(self._fields))
        self.names = frozenset(name.lower() for name, _ in self._fields)
        # The parser forgets this when the request ends with its head.
        self.keeps_alive = self._parser is not None and self._parser.should_keep_alive()
        self.is_there = True

    def on_body(self, _: bytes) -> None:
        """Note that the parser found an end of the head before ours."""
        self._is_broken = True


@functools.lru_cache(_KEPT_HEADS)
def _read(head: bytes) -> _Head:
    """Read a head. A client often sends the same one again and again."""
    found = _Head()
    found.read(head)
    return found
