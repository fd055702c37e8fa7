"""Reading a file that grows, line by line, from where one stopped."""

from collections.abc import Iterator
from pathlib import Path

_CHUNK_BYTES = 1 << 20


class Tail:
    """The lines that a file got since one looked last.

    `offset` is where the next look begins, in bytes: behind the last line that was yielded.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self.offset = offset

    def lines(self) -> Iterator[str]:
        """Yield new lines without their ends."""
        while chunk := self.read():
            end = chunk.rfind(b"\n") + 1
            if not end and len(chunk) == _CHUNK_BYTES:
                end = len(chunk)
            if not end:
                return
            for line in chunk[:end].splitlines(keepends=True):
                self.offset += len(line)
                yield line.rstrip(b"\r\n").decode(errors="replace")

    def skip_to_last(self, kept_bytes: int) -> None:
        """Skip all new bytes but the last `kept_bytes`."""
        try:
            size = self._path.stat().st_size
        except OSError:
            return
        self.offset = max(self.offset, size - kept_bytes)

    def read(self, most_bytes: int = _CHUNK_BYTES) -> bytes:
        """Return what is new, without moving on."""
        try:
            with self._path.open("rb") as file:
                file.seek(self.offset)
                return file.read(most_bytes)
        except OSError:
            return b""


def read_last_lines(path: Path, count: int) -> bytes:
    """Return the last `count` lines of a file as they are, reading no more of it than that takes."""
    try:
        with path.open("rb") as file:
            position = file.seek(0, 2)
            found = b""
            while position > 0 and found.count(b"\n", 0, -1) < count:
                step = min(_CHUNK_BYTES, position)
                position -= step
                file.seek(position)
                found = file.read(step) + found
    except OSError:
        return b""
    return b"".join(found.splitlines(keepends=True)[-count:]) if count else b""
