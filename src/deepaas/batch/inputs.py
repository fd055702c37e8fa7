"""Which files a folder, a pattern or a list stands for, and what their results are called.

Every process that is given the same text finds the same inputs, in the same order.
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
    """One file: its path, and the relative path of its result before a suffix is put behind it."""

    path: str
    name: str


def expands_to_many(text: str) -> bool:
    """Say whether `text` stands for a number of files: a folder, a pattern, or a list ``@list.txt``."""
    if os.path.lexists(text):
        return Path(text).is_dir()
    return text.startswith("@") or not _WILDCARDS.isdisjoint(text)


def expand_inputs(texts: Iterable[str], output: Path) -> list[Input]:
    """Return the files that the texts stand for, sorted by path, without those in the folder `output`.

    Raise `ValueError`, with words that say what is missing, or that all are results, when there is none.
    """
    found = sorted(dict(pair for text in texts for pair in _expand_text(text)).items())
    inside = output.resolve()
    inputs = [Input(*pair) for pair in found if not Path(pair[0]).resolve().is_relative_to(inside)]
    if not inputs:
        raise ValueError(_ONLY_RESULTS if found else "there is no file in it")
    return _make_unique(inputs)


def _expand_text(text: str) -> Iterator[tuple[str, str]]:
    """Yield path and name of every file."""
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
    """Yield the files of a folder and its folders, without hidden ones."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for file in files:
            path = os.path.join(place, file)  # noqa: PTH118 - a path that begins as the folder was written
            if not file.startswith(".") and Path(path).is_file():
                yield path, os.path.relpath(path, folder)


def _glob_files(pattern: str) -> Iterator[tuple[str, str]]:
    """Yield the files that fit a pattern; their names begin behind the part without wildcards."""
    first = min(pattern.index(char) for char in _WILDCARDS if char in pattern)
    root = os.path.dirname(pattern[:first])  # noqa: PTH120 - of a text that need be no path
    for path in glob.glob(pattern, recursive=True):  # noqa: PTH207 - Path.glob takes no absolute pattern
        if Path(path).is_file():
            yield path, os.path.relpath(path, root or ".")


def _read_list(file: str) -> list[str]:
    """Return the paths in a list, one on each line."""
    try:
        lines = Path(file).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the list {file} cannot be read: {error}") from error
    return [os.path.normpath(line) for line in lines if line.strip()]


def _get_result_name(path: str) -> str:
    """Return the name of a file that may lie anywhere: its path without what leads out of a folder."""
    inside = not Path(path).is_absolute() and ".." not in Path(path).parts
    return path if inside else os.path.abspath(path).lstrip(os.sep)  # noqa: PTH100 - without following links


def _make_unique(inputs: list[Input]) -> list[Input]:
    """Return the inputs with different names: those of one name get a digest of their paths."""
    count = collections.Counter(one.name for one in inputs)
    return [one if count[one.name] == 1 else _add_digest(one) for one in inputs]


def _add_digest(item: Input) -> Input:
    digest = hashlib.sha256(os.fsencode(item.path)).hexdigest()[:_DIGEST_LENGTH]
    return item._replace(name=f"{item.name}-{digest}")
