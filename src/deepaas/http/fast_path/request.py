"""A small request that arrived complete, parsed without a stream."""

import functools

import httptools
from aiohttp import hdrs
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

MAX_REQUEST_BYTES = 1 << 20
_MAX_HEADERS = 100
_HEAD_CACHE_SIZE = 64
_END_OF_HEAD = b"\r\n\r\n"
_HOST = hdrs.HOST.lower()
_TRANSFER_ENCODING = hdrs.TRANSFER_ENCODING.lower()


class BufferedRequest:
    """A request that is fed piece by piece; `chunks` is all that was fed, `size` how many bytes that is.

    When `headers_complete`, which has `head_size` bytes, there are `url` and its `path`, as they were sent;
    `headers` and their `header_names` in lower case; and `keep_alive`, whether another request may follow on
    the connection.
    """

    __slots__ = (
        "_is_head_eligible",
        "_total_size",
        "chunks",
        "head_size",
        "header_names",
        "headers",
        "headers_complete",
        "keep_alive",
        "path",
        "size",
        "url",
    )

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.size = 0
        self.headers_complete = False
        self.head_size = 0
        self._is_head_eligible = False
        self._total_size = 0

    def feed(self, chunk: bytes) -> None:
        """Read one more piece. None may follow the last one, nor one that made the request unusual."""
        self.chunks.append(chunk)
        self.size += len(chunk)
        if not self.headers_complete:
            self._read_head(chunk)

    @property
    def is_eligible(self) -> bool:
        """Whether this is one small POST of today's HTTP, as far as it has come."""
        return self._is_head_eligible and self.size <= self._total_size <= MAX_REQUEST_BYTES

    @property
    def is_complete(self) -> bool:
        """Whether all of a usual request has come."""
        return self.size == self._total_size

    @property
    def body(self) -> list[bytes]:
        """The body, in as many pieces as it came in; none when there is no body."""
        first, *others = self.chunks
        first = first[self.head_size :]
        return [first, *others] if first else others

    def _read_head(self, chunk: bytes) -> None:
        """Read the head, which must be in one piece; what follows it is not looked at."""
        end = chunk.find(_END_OF_HEAD)
        if end < 0:
            return
        self.head_size = end + len(_END_OF_HEAD)
        head = _parse_head(chunk[: self.head_size])
        if not head.is_complete:
            return  # empty lines, or another protocol's greeting
        self.headers_complete = True
        self.url, self.path = head.url, head.path
        self.headers, self.header_names = head.headers, head.header_names
        self.keep_alive = head.keep_alive
        self._is_head_eligible = head.is_eligible
        self._total_size = self.head_size + head.body_size


class _RequestHead:
    """The head of a request, and what the parser calls to fill it in."""

    def __init__(self) -> None:
        self.is_complete = False
        self.is_eligible = False
        self.body_size = 0
        self._message_count = 0
        self._has_early_end = False
        self._target = b""
        self._fields: list[tuple[str, str]] = []
        self._parser: httptools.HttpRequestParser | None = None

    def parse(self, head: bytes) -> None:
        """Read all of a head."""
        self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(head)
            if self.is_complete:
                # The parser has made sure that there is one length at the most, and that it is a number.
                self.body_size = int(self.headers.get(hdrs.CONTENT_LENGTH, "0"))
                is_todays_post = (self._parser.get_method(), self._parser.get_http_version()) == (
                    b"POST",
                    "1.1",
                )
                self.is_eligible = is_todays_post and self._is_unambiguous(head)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, ValueError):
            self.is_eligible = False
        finally:
            self._parser = None  # it refers to this object

    def _is_unambiguous(self, head: bytes) -> bool:
        """Return whether no reader of the head can take it for another one.

        Which headers may be repeated, and what that means, is left to aiohttp. So is white space behind a
        value: aiohttp strips it, and our parser does not.
        """
        return (
            not self._has_early_end
            and self._message_count == 1
            and b"#" not in self._target
            and len(self.header_names) == len(self._fields) <= _MAX_HEADERS
            and b" \r\n" not in head
            and b"\t\r\n" not in head
            and _HOST in self.header_names
            and _TRANSFER_ENCODING not in self.header_names
        )

    def on_message_begin(self) -> None:
        """Count the requests in what is taken for one head."""
        self._message_count += 1

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
        self.header_names = frozenset(name.lower() for name, _ in self._fields)
        # The parser forgets this when the request ends with its head.
        self.keep_alive = self._parser is not None and self._parser.should_keep_alive()
        self.is_complete = True

    def on_body(self, _: bytes) -> None:
        """Note that the parser found an end of the head before ours."""
        self._has_early_end = True


@functools.lru_cache(_HEAD_CACHE_SIZE)
def _parse_head(head: bytes) -> _RequestHead:
    """Read a head. A client often sends the same one again and again."""
    found = _RequestHead()
    found.parse(head)
    return found
