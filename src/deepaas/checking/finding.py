"""What a check finds: how bad it is, where, what, and what to do about it.

It must not know how anything is found, nor how it is shown.
"""

import enum
import json
from typing import NamedTuple, Self

END = "end"
"""The step that begins when all others are done."""


class Level(enum.StrEnum):
    """How bad a finding is; only an error means that the model does not work."""

    OK = "ok"
    NOTE = "note"
    DIFFERS = "differs"
    WARNING = "warning"
    ERROR = "error"


class Finding(NamedTuple):
    """One finding of a step; `detail` is a traceback or what else is too long for a line."""

    level: Level
    step: str
    text: str
    advice: str = ""
    detail: str = ""


def sentence(text: str) -> str:
    """Return the text with a full stop, unless it has its end."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


class Question(NamedTuple):
    """What a check is to look at. `given` are texts by argument, for the prediction to make, if one is.

    `target` is what `deepaas.model.loading.load` takes.
    """

    name: str
    target: str
    python_path: list[str]
    predicts: bool
    given: list[tuple[str, str]]
    scratch: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the question that `str` made a text of."""
        found = cls(*json.loads(text))
        return found._replace(given=[(name, value) for name, value in found.given])

    def __str__(self) -> str:
        return json.dumps(self)
