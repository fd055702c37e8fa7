"""Requests with the same arguments in the formats that servers accept."""

import dataclasses

_BOUNDARY = "------------------------benchmarksbenchmarksbe"  # as long as curl's
JSON = "application/json"
BINARY = "application/octet-stream"


@dataclasses.dataclass(frozen=True)
class Request:
    """A POST request: query string, body and media type."""

    query: str = ""
    body: bytes = b""
    media_type: str = ""


SMALL = Request(body=b'{"x": 1}', media_type=JSON)
SMALL_IN_QUERY = Request(query="?x=1")
EMPTY = Request()


def multipart(size_bytes: int) -> Request:
    """Return a form with a file of `size_bytes`, as browsers and curl send it."""
    head = (
        f"--{_BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="data"; filename="data.bin"\r\n'
        f"Content-Type: {BINARY}\r\n\r\n"
    )
    body = head.encode() + bytes(size_bytes) + f"\r\n--{_BOUNDARY}--\r\n".encode()
    return Request(body=body, media_type=f"multipart/form-data; boundary={_BOUNDARY}")


def raw(size_bytes: int) -> Request:
    """Return a request whose body is the bytes, without a form."""
    return Request(body=bytes(size_bytes), media_type=BINARY)
