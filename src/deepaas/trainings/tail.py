"""Reads new lines of a growing file from an offset."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_CHUNK_BYTES = 1 << 20


class Tail:
    """New lines of a file since the last read.

    `offset` is where the next read starts, in bytes: after the last yielded line. Nothing after `end` is
    read.
    """

    def __init__(self, path: Path, offset: int = 0, end: int | None = None) -> None:
        self._path = path
        self.offset = offset
        self._end = end

    def read_lines(self) -> Iterator[str]:
        """Yield new lines without line ends. Only a line longer than a chunk is yielded in parts."""
        while chunk := self.read():
            end = chunk.rfind(b"\n") + 1
            if not end and len(chunk) == _CHUNK_BYTES:
                end = len(chunk)
            if not end:
                return
            for line in chunk[:end].splitlines(keepends=True):
                self.offset += len(line)
                yield line.rstrip(b"\r\n").decode(errors="replace")

    def skip_to_last(self, max_bytes: int) -> None:
        """Skip new bytes except the last `max_bytes` of the file."""
        try:
            size = self._path.stat().st_size
        except OSError:
            return
        self.offset = max(self.offset, size - max_bytes)

    def read(self, max_bytes: int = _CHUNK_BYTES) -> bytes:
        """Return new bytes without advancing `offset`."""
        if self._end is not None:
            max_bytes = max(0, min(max_bytes, self._end - self.offset))
        try:
            with self._path.open("rb") as file:
                file.seek(self.offset)
                return file.read(max_bytes)
        except OSError:
            return b""


def find_last_lines(path: Path, count: int) -> int:
    """Return the byte offset of a file's last `count` lines, reading only its end."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        size = file.seek(0, 2)
        if count == 0 or size == 0:
            return size
        file.seek(size - 1)
        return _find_line_break(file, size, count + (file.read(1) == b"\n"))
    return 0


def find_partial_line(path: Path) -> int:
    """Return the byte offset of the incomplete last line."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        return _find_line_break(file, file.seek(0, 2), 1)
    return 0


def _find_line_break(file: IO[bytes], size: int, number: int) -> int:
    """Return the offset after line break `number`, counted from the end; 0 if there are fewer."""
    position = size
    while position > 0:
        end, position = position, max(0, position - _CHUNK_BYTES)
        file.seek(position)
        piece = file.read(end - position)
        found = piece.count(b"\n")
        if found >= number:
            return position + len(b"\n".join(piece.split(b"\n")[: found - number + 1])) + 1
        number -= found
    return 0
