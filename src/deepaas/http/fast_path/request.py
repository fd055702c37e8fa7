"""Parses small requests from buffered chunks, without a stream."""

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
    """A request that is fed in chunks; `chunks` has all of them, `size` is their total in bytes.

    These attributes exist once `headers_complete` is true: `url` and its `path`, as sent; `headers` and their
    `header_names` in lower case; and `keep_alive`, whether another request may follow on the connection.
    `head_size` is in bytes.
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
        """Add a chunk; not allowed once the request is complete, or not eligible for the fast path."""
        self.chunks.append(chunk)
        self.size += len(chunk)
        if not self.headers_complete:
            self._read_head(chunk)

    @property
    def is_eligible(self) -> bool:
        """Whether the chunks so far are one small, unambiguous POST of HTTP/1.1."""
        return self._is_head_eligible and self.size <= self._total_size <= MAX_REQUEST_BYTES

    @property
    def is_complete(self) -> bool:
        """Whether an eligible request has been received completely."""
        return self.size == self._total_size

    @property
    def body(self) -> list[bytes]:
        """The body in the chunks that were received; empty without a body."""
        first, *others = self.chunks
        first = first[self.head_size :]
        return [first, *others] if first else others

    def _read_head(self, chunk: bytes) -> None:
        """Parse the head, which must be in one chunk; the body is not parsed."""
        end = chunk.find(_END_OF_HEAD)
        if end < 0:
            return
        self.head_size = end + len(_END_OF_HEAD)
        head = _parse_head(chunk[: self.head_size])
        if not head.is_complete:
            return  # empty lines, or the preface of another protocol
        self.headers_complete = True
        self.url, self.path = head.url, head.path
        self.headers, self.header_names = head.headers, head.header_names
        self.keep_alive = head.keep_alive
        self._is_head_eligible = head.is_eligible
        self._total_size = self.head_size + head.body_size


class _RequestHead:
    """The head of a request, with the callbacks by which the parser fills it in."""

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
        """Parse a complete head."""
        self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(head)
            if self.is_complete:
                # The parser rejects repeated lengths, and lengths that are not numbers.
                self.body_size = int(self.headers.get(hdrs.CONTENT_LENGTH, "0"))
                is_http11_post = (self._parser.get_method(), self._parser.get_http_version()) == (
                    b"POST",
                    "1.1",
                )
                self.is_eligible = is_http11_post and self._is_unambiguous(head)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, ValueError):
            self.is_eligible = False
        finally:
            self._parser = None  # breaks a reference cycle

    def _is_unambiguous(self, head: bytes) -> bool:
        """Return whether every HTTP parser interprets the head in the same way.

        Requests with repeated headers, or with white space after a value, which aiohttp strips and httptools
        does not, go to aiohttp.
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
        """Count the requests; a head with more than one is ambiguous."""
        self._message_count += 1

    def on_url(self, target: bytes) -> None:
        """Append to the request target, which may come in several parts."""
        self._target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header."""
        self._fields.append((name.decode(), value.decode()))

    def on_headers_complete(self) -> None:
        """Set the public attributes."""
        target = self._target.decode()
        self.path = target.partition("?")[0]
        self.url = URL(target, encoded=True)
        self.headers = CIMultiDictProxy(CIMultiDict(self._fields))
        self.header_names = frozenset(name.lower() for name, _ in self._fields)
        # Read it now: the parser resets it at the end of a request without a body.
        self.keep_alive = self._parser is not None and self._parser.should_keep_alive()
        self.is_complete = True

    def on_body(self, _: bytes) -> None:
        """Record that the parser found the end of the head before we did."""
        self._has_early_end = True


@functools.lru_cache(_HEAD_CACHE_SIZE)
def _parse_head(head: bytes) -> _RequestHead:
    """Parse a head; cached, because clients often repeat it."""
    parsed = _RequestHead()
    parsed.parse(head)
    return parsed
