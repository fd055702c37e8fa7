"""Lines of a log as a terminal shows them."""

from pathlib import Path

import pytest

from deepaas.trainings.terminal_output import TerminalEmulator, TerminalLogReader, read_last_lines

SHOWN = [
    ("a\nb\n", ["a", "b"], ""),
    ("a\r\nb", ["a"], "b"),
    ("\n\na\n", ["", "", "a"], ""),
    ("50%\r100%\ndone\n", ["100%", "done"], ""),
    ("100%\r50%", [], "50%%"),
    ("100%\r\x1b[K50%", [], "50%"),
    ("\r 50%|##  |\r100%|####|", [], "100%|####|"),
    ("abc\b\b\bxyz\n", ["xyz"], ""),
    ("\x1b[1m 1/20\x1b[0m \x1b[32m━\x1b[0m\n", [" 1/20 ━"], ""),
    ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x07\n", ["link"], ""),
    ("a\x1b[2Kb\n", [" b"], ""),
    ("abc\x1b[3D\x1b[1Cx\x1b[5Gy\n", ["axc y"], ""),
    ("one\ntwo\x1b[1A\rONE\n\r", ["one", "ONE"], "two"),
    ("one\ntwo\x1b[A\x1b[J\n", ["one"], ""),
    ("\x1b[99A\x1b[99Ba\n", ["a"], ""),
    ("\x1b[?25la\x1b[?25h\n", ["a"], ""),
    ("a\x1bEb\x1bA\x1bKc\n", ["abc"], ""),
]


def read_lines(terminal: TerminalEmulator, printed: str) -> list[str]:
    """Print, and return the complete lines."""
    return [row.text for row in terminal.feed(printed) if row.is_complete]


@pytest.mark.parametrize(("printed", "lines", "unfinished"), SHOWN)
def test_terminal(printed: str, lines: list[str], unfinished: str) -> None:
    """The emulator moves the cursor and ignores colours, at whatever position the text is split."""
    for cut in range(1, len(printed) + 1):
        terminal = TerminalEmulator()
        found = [
            line
            for begin in range(0, len(printed), cut)
            for line in read_lines(terminal, printed[begin : begin + cut])
        ]
        assert (found, terminal.open_row.text) == (lines, unfinished)


def nested(outer: int, inner: int) -> str:
    """Return the output of tqdm for two nested loops."""
    printed = ""
    for step in range(outer):
        printed += f"\repochs: {step}/{outer}"
        printed += "".join(f"\n\rbatches: {number}/{inner}\x1b[A" for number in range(inner + 1))
        printed += "\n\r                  \r\x1b[A"
    return f"{printed}\repochs: {outer}/{outer}\nend\n"


def test_nested_bars() -> None:
    """The outer bar leaves a line for each of its steps; the inner bar, which is erased, leaves none."""
    lines = read_lines(TerminalEmulator(), nested(3, 20))
    assert lines == ["epochs: 0/3", "epochs: 1/3", "epochs: 2/3", "epochs: 3/3", "end"]


def test_many_rows() -> None:
    """Old rows that the cursor can no longer reach are discarded."""
    terminal = TerminalEmulator()
    assert len(read_lines(terminal, "".join(f"{number}\n" for number in range(1000)))) == 1000
    assert read_lines(terminal, "\x1b[2Ax\n") == ["x98"]


def test_rows() -> None:
    """Each row is yielded before it is redrawn, with its number counted from the start of the output."""
    terminal = TerminalEmulator()
    list(terminal.feed("x\n" * 1000))
    rows = list(terminal.feed("a\rb\nc\x1b[A\rbd\n"))
    shown = [(1000, "a", False, 1), (1000, "b", True, 1), (1001, "c", False, 1), (1000, "bd", True, 2)]
    assert rows == shown
    assert terminal.open_row == (1001, "c", False, 0)


def test_taken_up_again(tmp_path: Path) -> None:
    """A reader that resumes after any line yields the remaining lines exactly once."""
    log = tmp_path / "log"
    log.write_text("ü 1\n 1%\r 50%\r100%\n\x1b[1m3\x1b[0m\n4", encoding="utf-8")
    whole = list(TerminalLogReader(log).read_lines(include_partial=True))
    assert whole == ["ü 1", "100%", "3", "4"]
    for count in range(1, len(whole)):
        lines = TerminalLogReader(log)
        begun = [line for _, line in zip(range(count), lines.read_lines(include_partial=True), strict=False)]
        assert begun + list(TerminalLogReader(log, lines.offset).read_lines(include_partial=True)) == whole


def test_growing(tmp_path: Path) -> None:
    """A line is yielded once it is complete; until then it is the partial line."""
    log = tmp_path / "log"
    lines = TerminalLogReader(log)
    assert list(lines.read_lines()) == []
    with log.open("ab", buffering=0) as file:
        for written, found, unfinished in (
            (b" 1%\r 2", [], " 2%"),
            (b"2%", [], " 22%"),
            (b"\rdone\xc3", [], "done"),
            (b"\xbc\nnext", ["doneü"], "next"),
        ):
            file.write(written)
            assert (list(lines.read_lines()), lines.partial_line) == (found, unfinished)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 61, 62, 1000])
def test_last_lines(tmp_path: Path, count: int) -> None:
    """The last lines of a log full of bars are counted as a terminal shows them."""
    bars = "".join(
        "".join(f"\repoch {epoch}: {percent:3}%|{'#' * 50}|" for percent in range(101))
        + f"\nsaved checkpoint {epoch}\n"
        for epoch in range(30)
    )
    (tmp_path / "log").write_text(f"WARNING: 17 pictures are broken\nbegin\n{bars}")
    found = read_last_lines(tmp_path / "log", count)
    assert len(found) == min(count, 62)
    whole = list(TerminalLogReader(tmp_path / "log").read_lines())
    assert found == (whole[-count:] if count else [])
    assert whole[:2] == ["WARNING: 17 pictures are broken", "begin"]


def test_no_log(tmp_path: Path) -> None:
    assert read_last_lines(tmp_path / "log", 5) == []
    assert list(TerminalLogReader(tmp_path / "log").read_lines(include_partial=True)) == []


@pytest.mark.parametrize(
    "hostile", ["\x1b[9999999999C", f"\x1b[{'9' * 5000}G", "\x1b[31mx" * 50_000, "x" * 10**6]
)
def test_hostile(hostile: str) -> None:
    """Hostile output needs little memory and time."""
    terminal = TerminalEmulator()
    last = read_lines(terminal, f"{hostile}y\nend\n")[-1]
    assert last == "end"


@pytest.mark.parametrize("letter", "ABCDEFGJKMc78=")
def test_escape_of_two_characters(letter: str) -> None:
    """An escape without parameters is ignored."""
    assert read_lines(TerminalEmulator(), f"a\x1b{letter}b\n") == ["ab"]


def test_lines_that_are_skipped(tmp_path: Path) -> None:
    """Lines before and after a gap are not joined, and the line cut by the gap is dropped."""
    path = tmp_path / "log"
    path.write_text("one\nEpoch 2/10 loss: 0.1")
    lines = TerminalLogReader(path)
    assert list(lines.read_lines()) == ["one"]
    with path.open("a") as log:
        log.write("5\n" + "x" * 1000 + "34\nnext\nlast")
    lines.skip_to_last(15)
    rows = [*lines.read_rows(), lines.open_row]
    assert [(row.text, row.is_complete) for row in rows] == [("next", True), ("last", False)]
    assert [row.number for row in rows] == [2, 3]


def test_control_sequence_without_end() -> None:
    """An unterminated control sequence becomes text after a hundred characters, and is not parsed again."""
    terminal = TerminalEmulator()
    rows = [row for number in range(4_000) for row in terminal.feed("\x1b[" * (number == 0) + "1;" * 25)]
    assert rows == []
    assert terminal.open_row.text.startswith("\x1b[1;1;")
    assert len(terminal.open_row.text) > 10_000
