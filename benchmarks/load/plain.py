"""A client that sends one request at a time over a persistent connection."""

import contextlib
import http.client
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from benchmarks.load.request import Request

_CHUNK_BYTES = 1 << 20
_SAID_CHARACTERS = 200


class Client:
    """Posts to one URL and measures the time."""

    def __init__(self, url: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._connection = http.client.HTTPConnection(parts.netloc, timeout=timeout_s)
        self._buffer = bytearray(_CHUNK_BYTES)

    def post_s(self, request: Request) -> float:
        """Return the seconds until the complete response was read; RuntimeError if its status is not 200."""
        headers = {"Content-Type": request.media_type} if request.media_type else {}
        began = time.perf_counter()
        self._connection.request("POST", self._path + request.query, request.body or None, headers)
        with self._connection.getresponse() as response:
            if response.status != http.HTTPStatus.OK:
                said = response.read().decode(errors="replace")[:_SAID_CHARACTERS]
                raise RuntimeError(f"{self._path} returned {response.status}: {said}")
            while response.readinto(self._buffer):
                pass
        return time.perf_counter() - began

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextlib.contextmanager
def client(url: str, timeout_s: float = 60) -> Iterator[Client]:
    """Yield a client; close it afterwards."""
    found = Client(url, timeout_s)
    try:
        yield found
    finally:
        found.close()
