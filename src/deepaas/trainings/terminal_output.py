"""Converts a training's output to the lines that a terminal would show."""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from deepaas.trainings.tail import Tail

_WINDOW_BYTES = 1 << 16
_MAX_ROWS = 64
_MAX_ROW_LENGTH = 1 << 14
_MAX_NUMBER_DIGITS = 6
_CONTROL = re.compile(
    r"\x1b\[([\d;?]*)([@-~])"  # a control sequence: parameters and command
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # a window title or a link
    r"|\x1b[^\[\]]"
    r"|[\r\n\b\x07]"
)
_LINE_OR_REST = re.compile(rb"[^\n]*\n|[^\n]+")
_CUT_LINE = re.compile(rb"[^\r\n]*[\r\n]")
_PARTIAL_CONTROL = re.compile(r"\x1b(?:\[[\d;?]{0,100}|\][^\x07\x1b]{0,1000}\x1b?)?$")


class Row(NamedTuple):
    """A terminal row. `number` counts from the top, including rows that are no longer stored.

    With `is_complete`, the cursor moved to the row below; otherwise the row is about to be overwritten. Text
    after `end` is older than the text before it, unless `end` is 0.
    """

    number: int
    text: str
    is_complete: bool
    end: int


class TerminalEmulator:
    """The last rows of a terminal of unlimited width: moves the cursor, ignores colours."""

    def __init__(self, first_row: int = 0) -> None:
        self._rows = [""]
        self._emitted: list[str | None] = [None]
        self._first_row = first_row
        self._row = 0
        self._column = 0
        self._end = 0
        self._partial_control = ""

    def feed(self, text: str) -> Iterator[Row]:
        """Yield each row that the cursor leaves, or that is about to be redrawn from its start.

        A row left for the row below is yielded again only if it has changed since.
        """
        text = self._partial_control + text
        held = _PARTIAL_CONTROL.search(text)
        self._partial_control = held[0] if held else ""
        begin, end = 0, len(text) - len(self._partial_control)
        for control in _CONTROL.finditer(text, 0, end):
            self._write(text[begin : control.start()])
            begin = control.end()
            if control[0] == "\n":
                yield from self._finish_row()
            else:
                yield from self._handle_control(control)
        self._write(text[begin:end])

    @property
    def open_row(self) -> Row:
        """The row of the cursor; its text is empty if it was yielded already and has not changed."""
        text = self._rows[self._row].rstrip(" ")
        shown = "" if self._emitted[self._row] == text else text
        return Row(self._first_row + self._row, shown, is_complete=False, end=self._end)

    def _write(self, text: str) -> None:
        text = text[: max(0, _MAX_ROW_LENGTH - self._column)]
        if not text:
            return
        row = self._rows[self._row]
        end = self._column + len(text)
        self._rows[self._row] = row[: self._column].ljust(self._column) + text + row[end:]
        self._column = self._end = end

    def _finish_row(self) -> Iterator[Row]:
        text = self._rows[self._row].rstrip(" ")
        row = Row(self._first_row + self._row, text, is_complete=True, end=self._end)
        is_new = self._emitted[self._row] != row.text
        self._emitted[self._row] = row.text
        self._row += 1
        self._column = self._end = 0
        if self._row == len(self._rows):
            self._rows.append("")
            self._emitted.append(None)
        if self._row > _MAX_ROWS:
            del self._rows[0], self._emitted[0]
            self._first_row += 1
            self._row -= 1
        if is_new:
            yield row

    def _handle_control(self, control: re.Match[str]) -> Iterator[Row]:
        what = control[2] or control[0]  # escapes without parameters, such as ESC E, are ignored
        if what in "\rABEF" and self.open_row.text:
            yield self.open_row
        match what:
            case "\r":
                self._column = 0
            case "\b":
                self._column = max(0, self._column - 1)
            case "A" | "F" | "B" | "E" | "C" | "D" | "G" as direction:
                self._move_cursor(direction, _parse_count(control[1]))
            case "K":
                self._erase(control[1])
            case "J":
                self._erase(control[1])
                del self._rows[self._row + 1 :], self._emitted[self._row + 1 :]

    def _move_cursor(self, direction: str, count: int) -> None:
        if direction in "AFBE":
            self._end = 0  # unknown in another row
        if direction in "AF":
            self._row = max(0, self._row - count)
        elif direction in "BE":
            self._row = min(len(self._rows) - 1, self._row + count)
        elif direction == "C":
            self._column = min(_MAX_ROW_LENGTH, self._column + count)
        elif direction == "D":
            self._column = max(0, self._column - count)
        else:
            self._column = min(_MAX_ROW_LENGTH, count) - 1
        if direction in "EF":
            self._column = 0

    def _erase(self, mode: str) -> None:
        row = self._rows[self._row]
        kept = {
            "": row[: self._column],
            "0": row[: self._column],
            "1": " " * self._column + row[self._column :],
        }
        self._rows[self._row] = kept.get(mode, "")


class TerminalLogReader:
    """Reads new lines of a growing log, as a terminal shows them.

    `offset` is in bytes: after the last yielded line. Nothing after `end` is read.
    """

    def __init__(self, path: Path, offset: int = 0, end: int | None = None) -> None:
        self.offset = offset
        self._tail = Tail(path, offset, end)
        self._terminal = TerminalEmulator()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read_lines(self, *, include_partial: bool = False) -> Iterator[str]:
        """Yield new lines; with `include_partial`, also an incomplete last line."""
        for row in self.read_rows():
            if row.is_complete:
                yield row.text
        if include_partial and self.partial_line and self.offset < self._tail.offset:
            self.offset = self._tail.offset
            yield self.partial_line

    def read_rows(self) -> Iterator[Row]:
        """Yield each row that new text draws, including rows that are overwritten later."""
        while chunk := self._tail.read():
            for piece in _LINE_OR_REST.findall(chunk):
                self._tail.offset += len(piece)
                # One by one: a row of 16 kB that every second byte redraws would fill the memory.
                for row in self._terminal.feed(self._decoder.decode(piece)):
                    if row.is_complete:
                        self.offset = self._tail.offset
                    yield row
                if piece.endswith(b"\n"):
                    self.offset = self._tail.offset

    @property
    def partial_line(self) -> str:
        """The line being printed, such as a progress bar."""
        return self.open_row.text

    @property
    def open_row(self) -> Row:
        """The row being printed."""
        return self._terminal.open_row

    def skip_to_last(self, max_bytes: int) -> None:
        """Skip new text except the last `max_bytes` of the log, and the line that the gap cuts."""
        before = self._tail.offset
        self._tail.skip_to_last(max_bytes)
        if self._tail.offset > before:
            cut_text = _CUT_LINE.match(self._tail.read())
            self._tail.offset += cut_text.end() if cut_text else 0
            self._terminal = TerminalEmulator(self.open_row.number + 1)
            self._decoder.reset()


def read_last_lines(path: Path, count: int) -> list[str]:
    """Return the last `count` lines of a log as a terminal shows them, reading only its end."""
    window = _WINDOW_BYTES
    try:
        size = path.stat().st_size
    except OSError:
        return []
    while count:
        begin = max(0, size - window)
        lines = TerminalLogReader(path, begin)
        found = list(lines.read_lines(include_partial=True))
        if begin == 0:
            return found[-count:]
        if len(found) > count:
            return found[-count:]  # the first line may be cut
        window *= 4
    return []


def _parse_count(parameters: str) -> int:
    """Return the first parameter of a control sequence, by default 1."""
    first = parameters.lstrip("?").partition(";")[0]
    return int(first[:_MAX_NUMBER_DIGITS]) or 1 if first.isdecimal() else 1
