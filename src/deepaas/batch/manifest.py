"""The manifest of a batch: one line of JSON per input, in the output folder.

An unsharded batch writes ``manifest.jsonl``. Each of several shards writes its own file, because concurrent
appends are not safe on every shared file system; the last shard to finish merges them.
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
    """Result of one input: its SHA-256, and the path of its output below the folder, or an error.

    `seconds` is the time of the prediction. `arguments` is a digest of the model's other arguments.
    """

    input: str
    sha256: str | None
    output: str | None
    seconds: float
    error: str | None
    arguments: str


class Manifest:
    """The manifest of one shard.

    Use it as a context manager: entering opens it for appending, which is thread-safe. With `resume`,
    lines are kept, and `previous` maps inputs to them; without, the shard's own file is replaced.
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
        """The file that currently holds this shard's lines."""
        return next(
            (path for path in (self._part_path, self._finished_path) if path.exists()), self.merged_path
        )

    def append(self, entry: ManifestEntry) -> None:
        """Append a line with a single write."""
        assert self._descriptor is not None, "enter the Manifest first"
        os.write(self._descriptor, _encode_entry(entry))

    def finalize(self, *, is_complete: bool) -> None:
        """Keep the last line of each input; if this is the last shard to complete, merge all shards."""
        _write_entries(self._part_path, _read_entries([self._part_path]))
        if not is_complete or self._shard.total == 1:
            return
        self._part_path.rename(self._finished_path)
        parts = self._list_finished_parts()
        if len(parts) == self._shard.total:
            self._merge(parts)

    def _read_previous(self) -> None:
        """Clean and read this shard's own file; without one, or if unsharded, read all manifests."""
        has_own = self._part_path.exists()
        if has_own:
            _write_entries(self._part_path, _read_entries([self._part_path]))
        files = (
            [self._part_path] if has_own and self._shard.total > 1 else self._folder.glob("manifest*.jsonl")
        )
        for file in files:
            # A shard that finishes now renames its file; its lines are about other inputs.
            with contextlib.suppress(FileNotFoundError):
                for line in _read_entries([file]):
                    self.previous.setdefault(line.input, []).append(line)

    def _merge(self, parts: list[Path]) -> None:
        """Write the merged manifest. Another shard may do so concurrently, with the same content.

        If a shard's file is missing, another shard has merged already, or that shard was started again and
        will merge when it finishes.
        """
        before = [self.merged_path] if self.merged_path.exists() else []
        try:
            _write_entries(self.merged_path, _read_entries([*before, *parts]))
        except FileNotFoundError:
            return
        for part in parts:
            part.unlink(missing_ok=True)

    def _list_finished_parts(self) -> list[Path]:
        found = [(path, _PART_NAME.fullmatch(path.name)) for path in self._folder.iterdir()]
        return sorted(path for path, match in found if match and int(match[2]) == self._shard.total)


def _read_entries(files: Iterable[Path]) -> Iterator[ManifestEntry]:
    """Yield the entries of the files; lines truncated by a killed writer are skipped."""
    for file in files:
        for text in file.read_bytes().splitlines():
            with contextlib.suppress(ValueError, TypeError):
                yield ManifestEntry(**json.loads(text))


def _write_entries(path: Path, entries: Iterable[ManifestEntry]) -> None:
    """Replace a manifest atomically, with the last line of each input."""
    last = {line.input: line for line in entries}
    with atomic_write(path) as file:
        file.writelines(map(_encode_entry, last.values()))


def _encode_entry(entry: ManifestEntry) -> bytes:
    # ASCII escapes preserve the bytes of file names that are not valid UTF-8.
    return json.dumps(entry._asdict(), ensure_ascii=True).encode() + b"\n"
