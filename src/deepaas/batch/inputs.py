"""Expands folders, patterns and lists to input files, and names their results.

The order is deterministic, so that all shards of a batch see the same inputs.
"""

import collections
import glob
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

_WILDCARDS = frozenset("*?[")
_DIGEST_LENGTH = 8
_ONLY_RESULTS = "all its files are in the folder of the results; choose another with --output-dir"


class Input(NamedTuple):
    """One input file: its path, and the relative path of its result without the suffix."""

    path: str
    name: str


def expands_to_many(text: str) -> bool:
    """Return whether `text` is a folder, a pattern or a list ``@list.txt``, rather than a single file."""
    if os.path.lexists(text):
        return Path(text).is_dir()
    return text.startswith("@") or not _WILDCARDS.isdisjoint(text)


def expand_inputs(texts: Iterable[str], output: Path) -> list[Input]:
    """Return the input files, sorted by path, except files in the folder `output`.

    Raise `ValueError` when there is no input file; its message explains why.
    """
    found = sorted(dict(pair for text in texts for pair in _expand_text(text)).items())
    inside = output.resolve()
    inputs = [Input(*pair) for pair in found if not Path(pair[0]).resolve().is_relative_to(inside)]
    if not inputs:
        raise ValueError(_ONLY_RESULTS if found else "there is no file in it")
    return _make_unique(inputs)


def _expand_text(text: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the result's name of every file."""
    if not expands_to_many(text):
        if not Path(text).is_file():
            raise ValueError(f"there is no file {text}")
        yield text, Path(text).name
    elif Path(text).is_dir():
        yield from _walk_folder(text)
    elif text.startswith("@"):
        yield from ((path, _get_result_name(path)) for path in _read_list(text[1:]))
    else:
        yield from _glob_files(text)


def _walk_folder(folder: str) -> Iterator[tuple[str, str]]:
    """Yield the files of a folder, recursively, except hidden files and folders."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for file in files:
            path = os.path.join(place, file)  # noqa: PTH118 - keeps the spelling of the folder
            if not file.startswith(".") and Path(path).is_file():
                yield path, os.path.relpath(path, folder)


def _glob_files(pattern: str) -> Iterator[tuple[str, str]]:
    """Yield the files that match a pattern; names are relative to the folder before the first wildcard."""
    first = min(pattern.index(char) for char in _WILDCARDS if char in pattern)
    root = os.path.dirname(pattern[:first])  # noqa: PTH120 - not a complete path
    for path in glob.glob(pattern, recursive=True):  # noqa: PTH207 - Path.glob rejects absolute patterns
        if Path(path).is_file():
            yield path, os.path.relpath(path, root or ".")


def _read_list(file: str) -> list[str]:
    """Read a list of paths, one per line; blank lines are ignored."""
    try:
        lines = Path(file).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the list {file} cannot be read: {error}") from error
    return [os.path.normpath(line) for line in lines if line.strip()]


def _get_result_name(path: str) -> str:
    """Return a name that stays inside the output folder: absolute paths and ``..`` are made relative to /."""
    inside = not Path(path).is_absolute() and ".." not in Path(path).parts
    return path if inside else os.path.abspath(path).lstrip(os.sep)  # noqa: PTH100 - without following links


def _make_unique(inputs: list[Input]) -> list[Input]:
    """Make names unique: append a digest of the path to each name that occurs several times."""
    count = collections.Counter(one.name for one in inputs)
    return [one if count[one.name] == 1 else _add_digest(one) for one in inputs]


def _add_digest(item: Input) -> Input:
    digest = hashlib.sha256(os.fsencode(item.path)).hexdigest()[:_DIGEST_LENGTH]
    return item._replace(name=f"{item.name}-{digest}")
