"""The time and the memory that something takes."""

import time
from typing import Self

import psutil

_MEBIBYTE = 1 << 20


class Measured:
    """The seconds and the mebibytes that something took.

    Use it as a context manager around what is measured.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.mebibytes = 0.0
        self._process = psutil.Process()

    def __enter__(self) -> Self:
        self._held = self._process.memory_info().rss
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._began
        self.mebibytes = max(0.0, (self._process.memory_info().rss - self._held) / _MEBIBYTE)

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s, {self.mebibytes:.0f} MiB"
