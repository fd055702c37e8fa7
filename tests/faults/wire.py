"""A client that speaks HTTP byte by byte, so that it can be as wrong as a test wants."""

import json
import select
import socket
import time
from typing import NamedTuple, Self

import httpx

from serving import CALL_S, Server


class Answer(NamedTuple):
    """An answer as it came."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def message(self) -> str:
        """The text of an error, which is all that its JSON holds."""
        assert self.headers["content-type"].partition(";")[0] == "application/json"
        content = json.loads(self.body)
        assert list(content) == ["message"], content
        return str(content["message"])


class Wire:
    """A connection to a server; it is closed, whatever was sent, on leaving the context."""

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
        """Send bytes, however many the server still wants."""
        self.socket.sendall(content)

    def send_until_answered(self, content: bytes) -> None:
        """Send the same bytes again and again, until the server says something."""
        while not select.select([self.socket], [], [], 0)[0]:
            self.send(content)

    def post(self, path: str, *headers: str, body: bytes = b"", length: int | None = None) -> None:
        """Send a request with a body and a length that may be wrong."""
        self.send(
            request(path, *headers, f"Content-Length: {len(body) if length is None else length}") + body
        )

    def answer(self) -> Answer:
        """Return the next answer; fail when the server hangs up without one."""
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
        """Return the seconds from the last answer, or from connecting, until the server hangs up."""
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
    """Return how many descriptors the server's process has open."""
    return int(server.family()[0].num_fds())
