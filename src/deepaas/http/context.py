"""State shared by the requests of an application: its `AppKey`s, in-flight requests, recent log."""

import asyncio
import logging
import sys
from collections import deque

from aiohttp import web

from deepaas.config.settings import Settings
from deepaas.http.auth import Tokens
from deepaas.http.browser_security import BrowserPolicy
from deepaas.log import LineFormatter
from deepaas.metrics import Metrics
from deepaas.service import Service


class InFlightRequests:
    """Counts requests in flight: each enters this context. `idle` is set while there are none."""

    def __init__(self) -> None:
        self._count = 0
        self.idle = asyncio.Event()
        self.idle.set()

    def __enter__(self) -> None:
        self._count += 1
        self.idle.clear()

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if not self._count:
            self.idle.set()


_MAX_BYTES = 1 << 20


class RecentLogBuffer(logging.Handler):
    """Keeps the last 1 MiB of the workers' output and the server's log."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(LineFormatter())
        self._chunks: deque[bytes] = deque()
        self._size_bytes = 0

    def write(self, chunk: bytes) -> None:
        """Keep output of a worker, and write it to standard output."""
        self._append(chunk)
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a log line of the server."""
        self._append(f"{self.format(record)}\n".encode(errors="backslashreplace"))

    def read_text(self) -> str:
        """Return the kept output, oldest first."""
        return b"".join(self._chunks).decode(errors="replace")

    def _append(self, chunk: bytes) -> None:
        self._chunks.append(chunk[-_MAX_BYTES:])
        self._size_bytes += len(self._chunks[-1])
        while self._size_bytes > _MAX_BYTES and len(self._chunks) > 1:
            self._size_bytes -= len(self._chunks.popleft())


SERVICE = web.AppKey("service", Service)
SETTINGS = web.AppKey("settings", Settings)
METRICS = web.AppKey("metrics", Metrics)
TOKENS = web.AppKey("tokens", Tokens)
BROWSER_POLICY = web.AppKey("browser_policy", BrowserPolicy)
ROUTE_SCOPES = web.AppKey("route_scopes", dict)
IN_FLIGHT_REQUESTS = web.AppKey("in_flight_requests", InFlightRequests)
STOP_EVENT = web.AppKey("stop_event", asyncio.Event)
EVENT_BROADCASTERS = web.AppKey("event_broadcasters", dict)
"""`TrainingEventBroadcaster` by model name."""
RECENT_LOG = web.AppKey("recent_log", RecentLogBuffer)
