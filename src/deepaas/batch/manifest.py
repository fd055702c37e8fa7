"""What became of every input: a line of JSON each, in the output folder.

A batch in one part writes ``manifest.jsonl``. Each of several parts writes a file of its own, since appending
to one from many machines is not safe on every shared file system; the last part to end puts all of them
together as ``manifest.jsonl``. It must not know how results come to be.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

from deepaas.batch.shards import Shard
from deepaas.contents import replacing

_WHOLE = "manifest.jsonl"
_PART = re.compile(r"manifest\.(\d+)-of-(\d+)\.jsonl")


class Line(NamedTuple):
    """What became of an input: the SHA-256 of its content, its result's path in the folder, or an error.

    `seconds` is what the prediction took. `arguments` is a digest of the model's other arguments.
    """

    input: str
    sha256: str | None
    output: str | None
    seconds: float
    error: str | None
    arguments: str


class Manifest:
    """The manifest of one part of a batch.

    Use it as a context manager: entering opens it for lines; several threads may append. With `resume`, what
    is there stays, and `known` are the lines to resume from, by input; without, this part begins anew.
    """

    def __init__(self, folder: Path, shard: Shard, *, resume: bool) -> None:
        self.whole = folder / _WHOLE
        self.known: dict[str, list[Line]] = {}
        self._folder = folder
        self._shard = shard
        self._resume = resume
        ended = folder / f"manifest.{shard.number}-of-{shard.parts}.jsonl"
        self._ended = ended if shard.parts > 1 else self.whole
        self._own = ended.with_suffix(".part.jsonl") if shard.parts > 1 else self.whole
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        with contextlib.suppress(FileNotFoundError):
            self._ended.rename(self._own)
        if self._resume:
            self._read_known()
        else:
            self._own.unlink(missing_ok=True)
        self._descriptor = os.open(self._own, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def place(self) -> Path:
        """The file that holds this part's lines now."""
        return next((path for path in (self._own, self._ended) if path.exists()), self.whole)

    def append(self, line: Line) -> None:
        """Write a line, whole, in one go."""
        assert self._descriptor is not None, "the manifest is not open"
        os.write(self._descriptor, _encoded(line))

    def end(self, *, is_complete: bool) -> None:
        """Keep the last line of each input; when every input of every part has one, make one file of all."""
        _write(self._own, _lines([self._own]))
        if not is_complete or self._shard.parts == 1:
            return
        self._own.rename(self._ended)
        parts = self._parts()
        if len(parts) == self._shard.parts:
            self._put_together(parts)

    def _read_known(self) -> None:
        """Read this part's own file, or, when it has none, all that any other batch wrote here."""
        has_own = self._own.exists()
        if has_own:
            _write(self._own, _lines([self._own]))
        files = [self._own] if has_own and self._shard.parts > 1 else self._folder.glob("manifest*.jsonl")
        for file in files:
            # Another part that ends now renames its own; what is in it is not for this part.
            with contextlib.suppress(FileNotFoundError):
                for line in _lines([file]):
                    self.known.setdefault(line.input, []).append(line)

    def _put_together(self, parts: list[Path]) -> None:
        """Write the whole. Another part that ends now may do the same at once: it writes the same.

        A part that has begun again meanwhile will end once more, and put all together then.
        """
        before = [self.whole] if self.whole.exists() else []
        try:
            _write(self.whole, _lines([*before, *parts]))
        except FileNotFoundError:
            return
        for part in parts:
            part.unlink(missing_ok=True)

    def _parts(self) -> list[Path]:
        """Return the files of the parts that have ended."""
        found = [(path, _PART.fullmatch(path.name)) for path in self._folder.iterdir()]
        return sorted(path for path, match in found if match and int(match[2]) == self._shard.parts)


def _lines(files: Iterable[Path]) -> Iterator[Line]:
    """Yield what the files say; a line that was cut off when its writer was killed says nothing."""
    for file in files:
        for text in file.read_bytes().splitlines():
            with contextlib.suppress(ValueError, TypeError):
                yield Line(**json.loads(text))


def _write(path: Path, lines: Iterable[Line]) -> None:
    """Replace a manifest as a whole, by one with the last line of each input."""
    last = {line.input: line for line in lines}
    with replacing(path) as file:
        file.writelines(map(_encoded, last.values()))


def _encoded(line: Line) -> bytes:
    """Return a line; names of files may hold bytes that are no text, which only this spelling keeps."""
    return json.dumps(line._asdict(), ensure_ascii=True).encode() + b"\n"
