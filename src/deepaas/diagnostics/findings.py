"""A finding of `deepaas-cli check`: level, place, message, hint; and what a check used of the machine."""

import enum
import json
import time
from typing import NamedTuple, Self

import psutil

_MEBIBYTE = 1 << 20


class ResourceUsage:
    """The seconds and the mebibytes that something took.

    Use it as a context manager around what is measured.
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
"""The step that begins when all others are done."""


class Level(enum.StrEnum):
    """How bad a finding is; only an error means that the model does not work."""

    OK = "ok"
    NOTE = "note"
    CHANGED = "differs"
    WARNING = "warning"
    ERROR = "error"


class Finding(NamedTuple):
    """One finding of a step; `detail` is a traceback or what else is too long for a line."""

    level: Level
    step: str
    text: str
    hint: str = ""
    detail: str = ""


def add_period(text: str) -> str:
    """Return the text with a full stop, unless it has its end."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


class CheckRequest(NamedTuple):
    """What a check is to look at. `arguments` are texts by argument, for the prediction to make, if one is.

    `target` is what `deepaas.model.loader.load` takes.
    """

    name: str
    target: str
    python_path: list[str]
    run_predict: bool
    arguments: list[tuple[str, str]]
    scratch: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the question that `str` made a text of."""
        found = cls(*json.loads(text))
        return found._replace(arguments=[(name, value) for name, value in found.arguments])

    def __str__(self) -> str:
        return json.dumps(self)
