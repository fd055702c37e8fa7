"""API for user code during a training: report progress and metrics, save artifacts.

Environment variables hold the training's folders, so that child processes of the model find them, too.
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
    """Report a training's progress and metrics: ``deepaas.report(step=3, total=10, loss=0.2)``.

    Outside a training, such as in a notebook or a test, this does nothing.

    :param step: the current step; with `total`, it gives the training's progress.
    :param total: the number of steps, in the unit of `step`.
    :param metrics: named numbers, of Python or of any library, stored as a history. NaN, infinities and
        values that are not numbers are stored as text.
    :raises OSError: the training's folder cannot be written to.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        write_report(Path(folder), step=step, total=total, metrics=metrics)


def write_report(
    folder: Path, *, step: Any, total: Any, metrics: dict[str, Any], is_hint: bool = False
) -> None:
    """Append a line to the history in a training's folder; `is_hint` marks a guess from the output."""
    entry = {
        "time": time.time(),
        "step": _to_jsonable_number(step),
        "total": _to_jsonable_number(total),
        "metrics": {name: _to_jsonable_number(value) for name, value in metrics.items()},
    }
    with open_file(folder / METRICS_FILE, "ab", buffering=0) as file:
        file.write(orjson.dumps(entry | ({"hint": True} if is_hint else {})) + b"\n")


def read_reports(lines: Iterable[str]) -> Iterator[Any]:
    """Yield the parsed lines of the history; truncated lines are skipped."""
    for line in lines:
        with contextlib.suppress(ValueError):
            yield orjson.loads(line)


def artifacts() -> Path:
    """Return the folder for a training's artifacts, which is also in ``$DEEPAAS_ARTIFACTS``.

    After the training, clients can list and download its files. Outside a training, it is a new temporary
    folder.

    :return: an existing folder.
    :raises OSError: the folder cannot be created.
    """
    folder = os.environ.get(ARTIFACTS_VARIABLE)
    path = Path(folder) if folder else Path(tempfile.mkdtemp(prefix="deepaas-artifacts-"))
    path.mkdir(parents=True, exist_ok=True)
    return path


def _to_jsonable_number(value: Any) -> Any:
    """Convert a number of any library to a JSON number; other values, NaN and infinities become text."""
    if value is None or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return str(value)
    finite = number - number == 0
    return number if finite else str(number)
