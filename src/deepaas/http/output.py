"""What models printed and logged most recently. It must not know who reads it."""

import logging
import sys
from collections import deque

from deepaas.log import LineFormatter

_LIMIT_BYTES = 1 << 20


class RecentOutput(logging.Handler):
    """The last mebibyte of output, which is also passed on to where it would have gone."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(LineFormatter())
        self._chunks: deque[bytes] = deque()
        self._size = 0

    def take(self, chunk: bytes) -> None:
        """Keep what a worker wrote and pass it on to standard output."""
        self._keep(chunk)
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a log line of the server's own."""
        self._keep(f"{self.format(record)}\n".encode(errors="backslashreplace"))

    def text(self) -> str:
        """Return what is kept, oldest first."""
        return b"".join(self._chunks).decode(errors="replace")

    def _keep(self, chunk: bytes) -> None:
        self._chunks.append(chunk[-_LIMIT_BYTES:])
        self._size += len(self._chunks[-1])
        while self._size > _LIMIT_BYTES and len(self._chunks) > 1:
            self._size -= len(self._chunks.popleft())
