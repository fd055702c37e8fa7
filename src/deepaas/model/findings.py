"""Findings and requests of `deepaas-cli check`, and the measurement of a step's resources."""

import enum
import json
import time
from typing import NamedTuple, Self

import psutil

_MEBIBYTE = 1 << 20


class ResourceUsage:
    """Measures elapsed seconds and growth of memory (RSS, MiB).

    Use it as a context manager around the measured code.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.mebibytes = 0.0
        self._process = psutil.Process()

    def __enter__(self) -> Self:
        self._initial_rss_bytes = self._process.memory_info().rss
        self._started_s = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._started_s
        self.mebibytes = max(0.0, (self._process.memory_info().rss - self._initial_rss_bytes) / _MEBIBYTE)

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s, {self.mebibytes:.0f} MiB"


END_STEP = "end"
"""Announced when all other steps are done."""


class Level(enum.StrEnum):
    """Severity of a finding; only an error means that the model does not work."""

    OK = "ok"
    NOTE = "note"
    CHANGED = "differs"
    WARNING = "warning"
    ERROR = "error"


class Finding(NamedTuple):
    """One finding of a step; `detail` is a traceback or another text of several lines."""

    level: Level
    step: str
    text: str
    hint: str = ""
    detail: str = ""


def add_period(text: str) -> str:
    """Append a full stop, unless the text ends with a punctuation mark."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


class CheckRequest(NamedTuple):
    """The model to check, and whether to predict, with `arguments` as pairs of name and text.

    `target` is the argument of `deepaas.model.loader.load`; `scratch` is the folder for sample files.
    """

    name: str
    target: str
    python_path: list[str]
    run_predict: bool
    arguments: list[tuple[str, str]]
    scratch: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the JSON text that `str()` returns."""
        found = cls(*json.loads(text))
        return found._replace(arguments=[(name, value) for name, value in found.arguments])

    def __str__(self) -> str:
        return json.dumps(self)
