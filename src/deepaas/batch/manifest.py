"""What became of every input: a line of JSON each, in the output folder.

A batch in one part writes ``manifest.jsonl``. Each of several parts writes a file of its own, since appending
to one from many machines is not safe on every shared file system; the last part to end puts all of them
together as ``manifest.jsonl``.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

from deepaas.atomic_files import atomic_write
from deepaas.batch.shards import Shard

_MERGED_NAME = "manifest.jsonl"
_PART_NAME = re.compile(r"manifest\.(\d+)-of-(\d+)\.jsonl")


class ManifestEntry(NamedTuple):
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
    is there stays, and `previous` are the lines to resume from, by input; without, this part begins anew.
    """

    def __init__(self, folder: Path, shard: Shard, *, resume: bool) -> None:
        self.merged_path = folder / _MERGED_NAME
        self.previous: dict[str, list[ManifestEntry]] = {}
        self._folder = folder
        self._shard = shard
        self._resume = resume
        ended = folder / f"manifest.{shard.number}-of-{shard.total}.jsonl"
        self._finished_path = ended if shard.total > 1 else self.merged_path
        self._part_path = ended.with_suffix(".part.jsonl") if shard.total > 1 else self.merged_path
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        with contextlib.suppress(FileNotFoundError):
            self._finished_path.rename(self._part_path)
        if self._resume:
            self._read_previous()
        else:
            self._part_path.unlink(missing_ok=True)
        self._descriptor = os.open(self._part_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def current_path(self) -> Path:
        """The file that holds this part's lines now."""
        return next(
            (path for path in (self._part_path, self._finished_path) if path.exists()), self.merged_path
        )

    def append(self, entry: ManifestEntry) -> None:
        """Write a line, whole, in one go."""
        assert self._descriptor is not None, "the manifest is not open"
        os.write(self._descriptor, _encode_entry(entry))

    def finalize(self, *, is_complete: bool) -> None:
        """Keep the last line of each input; when every input of every part has one, make one file of all."""
        _write_entries(self._part_path, _read_entries([self._part_path]))
        if not is_complete or self._shard.total == 1:
            return
        self._part_path.rename(self._finished_path)
        parts = self._list_finished_parts()
        if len(parts) == self._shard.total:
            self._merge(parts)

    def _read_previous(self) -> None:
        """Read this part's own file, or, when it has none, all that any other batch wrote here."""
        has_own = self._part_path.exists()
        if has_own:
            _write_entries(self._part_path, _read_entries([self._part_path]))
        files = (
            [self._part_path] if has_own and self._shard.total > 1 else self._folder.glob("manifest*.jsonl")
        )
        for file in files:
            # Another part that ends now renames its own; what is in it is not for this part.
            with contextlib.suppress(FileNotFoundError):
                for line in _read_entries([file]):
                    self.previous.setdefault(line.input, []).append(line)

    def _merge(self, parts: list[Path]) -> None:
        """Write the whole. Another part that ends now may do the same at once: it writes the same.

        A part that has begun again meanwhile will end once more, and put all together then.
        """
        before = [self.merged_path] if self.merged_path.exists() else []
        try:
            _write_entries(self.merged_path, _read_entries([*before, *parts]))
        except FileNotFoundError:
            return
        for part in parts:
            part.unlink(missing_ok=True)

    def _list_finished_parts(self) -> list[Path]:
        """Return the files of the parts that have ended."""
        found = [(path, _PART_NAME.fullmatch(path.name)) for path in self._folder.iterdir()]
        return sorted(path for path, match in found if match and int(match[2]) == self._shard.total)


def _read_entries(files: Iterable[Path]) -> Iterator[ManifestEntry]:
    """Yield what the files say; a line that was cut off when its writer was killed says nothing."""
    for file in files:
        for text in file.read_bytes().splitlines():
            with contextlib.suppress(ValueError, TypeError):
                yield ManifestEntry(**json.loads(text))


def _write_entries(path: Path, entries: Iterable[ManifestEntry]) -> None:
    """Replace a manifest as a whole, by one with the last line of each input."""
    last = {line.input: line for line in entries}
    with atomic_write(path) as file:
        file.writelines(map(_encode_entry, last.values()))


def _encode_entry(entry: ManifestEntry) -> bytes:
    """Return a line; names of files may hold bytes that are no text, which only this spelling keeps."""
    return json.dumps(entry._asdict(), ensure_ascii=True).encode() + b"\n"
