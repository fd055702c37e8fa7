"""Which part of a batch this process does, as it was told, or as the variables of an array job say."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")
_EXPECTED = "a part and how many there are, such as 3/16, or /16 in an array job of 16 tasks"


class Shard(NamedTuple):
    """The part `number`, from 1, of so many parts."""

    number: int = 1
    total: int = 1

    def select(self, items: Sequence[T]) -> list[T]:
        """Return every so many-th of the items, such that all parts together are all items."""
        return list(items[self.number - 1 :: self.total])


class _ArrayVariables(NamedTuple):
    """The variables of one batch system: a task's number, the first and the last, the step, how many."""

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
    """Return the part that `text` names, ``3/16``, or else that of the array job's task.

    In ``/16``, the number is the task's. Outside of an array job, without a text, one part is all. Raise
    `ValueError`, with words that say what would be right.
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
    """Return the part of the task of an array job that says how many tasks it has."""
    array = _find_array(environ)
    if array is None:
        return Shard()
    first, last = _read_number(environ, array.first), _read_number(environ, array.last)
    step = _read_number(environ, array.step) or 1
    spanned = None if first is None or last is None else (last - first) // step + 1
    tasks = _read_number(environ, array.tasks) or spanned
    if tasks is None:
        raise ValueError(f"{_EXPECTED}; {array.system} does not say how many tasks this array job has")
    if spanned is None or first is None:
        return _resolve_task_shard(environ, tasks)
    if tasks != spanned:
        raise ValueError(f"{_EXPECTED}; the tasks of this array job are not evenly numbered")
    return Shard((int(environ[array.task]) - first) // step + 1, tasks)


def _resolve_task_shard(environ: Mapping[str, str], total: int) -> Shard:
    """Return the task's part, whether tasks are counted from 0, from 1, or from elsewhere."""
    array = _find_array(environ)
    if array is None:
        raise ValueError(f"{_EXPECTED}; this is not the task of an array job")
    return Shard((int(environ[array.task]) - 1) % total + 1, total)


def _find_array(environ: Mapping[str, str]) -> _ArrayVariables | None:
    """Return the batch system whose array job this process is a task of."""
    return next((array for array in _BATCH_SYSTEMS if _read_number(environ, array.task) is not None), None)


def _read_number(environ: Mapping[str, str], variable: str) -> int | None:
    text = environ.get(variable, "")
    return int(text) if text.isdecimal() else None
