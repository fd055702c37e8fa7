"""Determines the shard of this process, from the option or the variables of an array job."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")
_EXPECTED = "a part and how many there are, such as 3/16, or /16 in an array job of 16 tasks"


class Shard(NamedTuple):
    """Shard `number`, counted from 1, of `total` shards."""

    number: int = 1
    total: int = 1

    def select(self, items: Sequence[T]) -> list[T]:
        """Return this shard's items, every `total`-th; the shards partition the items."""
        return list(items[self.number - 1 :: self.total])


class _ArrayVariables(NamedTuple):
    """Environment variables of a batch system: task number, first, last, step, number of tasks."""

    system: str
    task: str
    first: str = ""
    last: str = ""
    step: str = ""
    tasks: str = ""


_SLURM = ("SLURM_ARRAY_TASK_ID", *(f"SLURM_ARRAY_TASK_{name}" for name in ("MIN", "MAX", "STEP", "COUNT")))
_SGE = ("SGE_TASK_ID", "SGE_TASK_FIRST", "SGE_TASK_LAST", "SGE_TASK_STEPSIZE")
_BATCH_SYSTEMS = (
    _ArrayVariables("SLURM", *_SLURM),
    _ArrayVariables("SGE", *_SGE),
    _ArrayVariables("PBS", "PBS_ARRAY_INDEX"),
    _ArrayVariables("PBS", "PBS_ARRAYID"),
)


def resolve_shard(text: str, environ: Mapping[str, str]) -> Shard:
    """Return the shard given as ``3/16``, or the array job's shard if `text` is empty.

    ``/16`` takes the number from the array task. Without text and array job, there is one shard. Raise
    `ValueError` with a message that describes the expected form.
    """
    if not text:
        return _resolve_array_shard(environ)
    found = re.fullmatch(r"(\d*)/(\d+)", text.strip())
    if not found or int(found[2]) < 1:
        raise ValueError(_EXPECTED)
    parts = int(found[2])
    if not found[1]:
        return _resolve_task_shard(environ, parts)
    if not 1 <= int(found[1]) <= parts:
        raise ValueError(f"a part from 1 to {parts}")
    return Shard(int(found[1]), parts)


def _resolve_array_shard(environ: Mapping[str, str]) -> Shard:
    """Derive the shard from an array job whose variables give the number of tasks."""
    array = _find_array(environ)
    if array is None:
        return Shard()
    first, last = _read_number(environ, array.first), _read_number(environ, array.last)
    step = _read_number(environ, array.step) or 1
    spanned = None if first is None or last is None else (last - first) // step + 1
    tasks = _read_number(environ, array.tasks) or spanned
    if tasks is None:
        raise ValueError(f"{_EXPECTED}; {array.system} does not report the number of tasks of this array job")
    if spanned is None or first is None:
        return _resolve_task_shard(environ, tasks)
    if tasks != spanned:
        raise ValueError(f"{_EXPECTED}; the tasks of this array job are not evenly numbered")
    return Shard((int(environ[array.task]) - first) // step + 1, tasks)


def _resolve_task_shard(environ: Mapping[str, str], total: int) -> Shard:
    """Return the task's shard; task numbers may start anywhere if they are consecutive."""
    array = _find_array(environ)
    if array is None:
        raise ValueError(f"{_EXPECTED}; this is not the task of an array job")
    return Shard((int(environ[array.task]) - 1) % total + 1, total)


def _find_array(environ: Mapping[str, str]) -> _ArrayVariables | None:
    """Return the batch system of the array job that this process belongs to, if any."""
    return next((array for array in _BATCH_SYSTEMS if _read_number(environ, array.task) is not None), None)


def _read_number(environ: Mapping[str, str], variable: str) -> int | None:
    text = environ.get(variable, "")
    return int(text) if text.isdecimal() else None
