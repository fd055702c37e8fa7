"""What a model's own code may say and leave during a training. Outside of one, saying does nothing.

Where the training's folder is stands in the environment, so that processes the model starts find it too.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from deepaas.private_files import open_file

FOLDER_VARIABLE = "DEEPAAS_TRAINING"
ARTIFACTS_VARIABLE = "DEEPAAS_ARTIFACTS"
METRICS_FILE = "metrics.jsonl"


def report(*, step: float | None = None, total: float | None = None, **metrics: Any) -> None:
    """Say how far a training is, and how good: ``deepaas.report(step=3, total=10, loss=0.2)``.

    Outside a training, as in a notebook or a test, this does nothing.

    :param step: how much is done; with `total`, it becomes the training's progress.
    :param total: how much there is to do, in the unit of `step`.
    :param metrics: numbers by name, of Python or of any library, kept as a history. NaN, infinities and
        what is no number are kept as text.
    :raises OSError: the training's folder cannot be written to.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        write_report(Path(folder), step=step, total=total, metrics=metrics)


def write_report(
    folder: Path, *, step: Any, total: Any, metrics: dict[str, Any], is_hint: bool = False
) -> None:
    """Add a line to the history of metrics in a training's folder; `is_hint` marks what was only guessed."""
    said = {
        "time": time.time(),
        "step": _to_jsonable_number(step),
        "total": _to_jsonable_number(total),
        "metrics": {name: _to_jsonable_number(value) for name, value in metrics.items()},
    }
    with open_file(folder / METRICS_FILE, "ab", buffering=0) as file:
        file.write(orjson.dumps(said | ({"hint": True} if is_hint else {})) + b"\n")


def read_reports(lines: Iterable[str]) -> Iterator[Any]:
    """Yield what each line of the history says; one that a full disk or its reader cut off says nothing."""
    for line in lines:
        with contextlib.suppress(ValueError):
            yield orjson.loads(line)


def artifacts() -> Path:
    """Return the folder for the files that a training leaves, also in ``$DEEPAAS_ARTIFACTS``.

    What it holds at the end is listed and can be downloaded. Outside a training it is a new temporary folder.

    :return: a folder that is there.
    :raises OSError: it cannot be made.
    """
    folder = os.environ.get(ARTIFACTS_VARIABLE)
    path = Path(folder) if folder else Path(tempfile.mkdtemp(prefix="deepaas-artifacts-"))
    path.mkdir(parents=True, exist_ok=True)
    return path


def _to_jsonable_number(value: Any) -> Any:
    """Return a number of any library as one JSON knows; what is none, and NaN, as a text that shows it."""
    if value is None or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return str(value)
    finite = number - number == 0
    return number if finite else str(number)
