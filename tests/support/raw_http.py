"""A client that writes HTTP byte by byte, so that tests can send malformed requests."""

import json
import select
import socket
import time
from typing import NamedTuple, Self

import httpx

from support.server import CALL_S, Server


class Answer(NamedTuple):
    """A response, unprocessed."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def message(self) -> str:
        """The error message, which must be all that the JSON body contains."""
        assert self.headers["content-type"].partition(";")[0] == "application/json"
        content = json.loads(self.body)
        assert list(content) == ["message"], content
        return str(content["message"])


class Wire:
    """A connection to a server, closed when the context ends."""

    def __init__(self, server: Server) -> None:
        url = httpx.URL(server.url)
        self._last = time.monotonic()
        self.socket = socket.create_connection((url.host, url.port), timeout=CALL_S)
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, content: bytes) -> None:
        """Send bytes, whether or not the server still reads."""
        self.socket.sendall(content)

    def send_until_answered(self, content: bytes) -> None:
        """Send the same bytes repeatedly until the server responds."""
        while not select.select([self.socket], [], [], 0)[0]:
            self.send(content)

    def post(self, path: str, *headers: str, body: bytes = b"", length: int | None = None) -> None:
        """Send a request with a body, and with a Content-Length that may be wrong."""
        self.send(
            request(path, *headers, f"Content-Length: {len(body) if length is None else length}") + body
        )

    def answer(self) -> Answer:
        """Return the next response; fail if the server closes the connection first."""
        while b"\r\n\r\n" not in self._received:
            self._more()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = httpx.Headers([tuple(line.split(": ", 1)) for line in lines])
        while len(self._received) < int(headers["content-length"]):
            self._more()
        body = self._received[: int(headers["content-length"])]
        self._received = self._received[len(body) :]
        self._last = time.monotonic()
        return Answer(int(first.split()[1]), headers, body)

    def wait_until_closed(self, timeout_s: float) -> float:
        """Wait until the server closes the connection; return the seconds since the last response."""
        self.socket.settimeout(timeout_s)
        try:
            while self.socket.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass
        return time.monotonic() - self._last

    def _more(self) -> None:
        chunk = self.socket.recv(1 << 20)
        assert chunk, f"The server hung up after {self._received!r}"
        self._received += chunk


def request(path: str, *headers: str, method: str = "POST") -> bytes:
    """Return the head of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
    return "\r\n".join(lines).encode()


def descriptors(server: Server) -> int:
    """Return the number of open file descriptors of the server's process."""
    return int(server.family()[0].num_fds())
