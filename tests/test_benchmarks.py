"""The benchmarks: how figures are shown, and that what they say of this server can be measured."""

from pathlib import Path

import psutil
import pytest
from benchmarks.growth.curve import Curve, medians
from benchmarks.growth.page import table as table_of_curve
from benchmarks.growth.page import write
from benchmarks.load.plain import client
from benchmarks.measuring import Results, measure
from benchmarks.report import number, page, table
from benchmarks.rows.row import Row, Target
from benchmarks.rows.table import ALL_ROWS
from benchmarks.systems.running import running
from benchmarks.systems.system import System, UnavailableError, Workload
from benchmarks.systems.table import BARE, BATCHED, LARGE, OURS, SOCKET, TRIVIAL, UPLOAD

pytestmark = pytest.mark.slow
OTHER = System("other", ())
THIRD = System("third", ())
ROW = Row(
    "rate",
    "some work",
    "1/s",
    TRIVIAL,
    (OURS, OTHER, THIRD),
    lambda _: 0.0,
    (Target(2, OTHER), Target(400)),
    is_more_better=True,
)


def results(**figures: list[float]) -> Results:
    """Return figures of the row's servers, by the first word of their names."""
    found = {
        system: figures[system.name.split()[0]] for system in ROW.systems if system.name.split()[0] in figures
    }
    return Results(figures={ROW.key: found})


def test_table() -> None:
    """Each server has a line with its spread, the ratio of medians, the target and whether it is reached."""
    lines = table([ROW], results(this=[300, 100, 200], other=[80, 110, 90], third=[1, 2, 3])).splitlines()
    assert lines[2:] == [
        "| some work, 1/s | this server | 100 | 200 | 300 |  | ≥ 400 1/s | **no** |",
        "|  | other | 80.0 | 90.0 | 110 | 2.22 | ≥ 2 times | yes |",
        "|  | third | 1.00 | 2.00 | 3.00 | 100 |  |  |",
    ]


def test_less_is_better() -> None:
    """Of times and memory, a target is the most that they may be."""
    row = Row("time", "time", "ms", TRIVIAL, (OURS, OTHER), lambda _: 0.0, (Target(1.3, OTHER),))
    for mine, is_met in (([1.3], True), ([1.4], False)):
        assert row.is_met({OURS: mine, OTHER: [1.0]}, row.targets[0]) is is_met


def test_what_was_not_measured_is_said() -> None:
    """A server that cannot be measured has its reason in the table, and no verdict beside it."""
    found = results(this=[200])
    found.problems[ROW.key, OTHER] = "it cannot be | started"
    text = table([ROW], found)
    assert "|  | other |  | not measured: it cannot be / started |  |  | ≥ 2 times | not known |" in text
    assert "- `rate`, other: it cannot be | started" in text


def test_page_names_machine_and_configuration() -> None:
    """The page says where the figures come from, and how each server was set up."""
    text = page([ROW], results(this=[1]), rounds=3, machine={"kernel": "K 1"}, versions={BARE: "V 2"})
    assert "there were 3." in text
    assert "| kernel | K 1 |" in text
    assert f"- **bare aiohttp handler** (V 2): {BARE.how}." in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(12345.6, "12,346"), (100, "100"), (99.96, "100"), (1.5, "1.50"), (0.01234, "0.0123")],
)
def test_numbers(value: float, shown: str) -> None:
    """A figure has three digits that count."""
    assert number(value) == shown


def test_rows_have_keys_of_their_own() -> None:
    """No two rows share a key, and targets name servers of their row."""
    assert len({row.key for row in ALL_ROWS}) == len(ALL_ROWS)
    for row in ALL_ROWS:
        assert {target.against for target in row.targets} <= {None, *row.systems[1:]}


@pytest.mark.parametrize(
    ("system", "workload"),
    [
        (OURS, TRIVIAL),
        (OURS, UPLOAD),
        (OURS, LARGE),
        (OURS, BATCHED),
        (BARE, TRIVIAL),
        (SOCKET, LARGE),
    ],
    ids=lambda value: value.name if isinstance(value, System) else value.model,
)
def test_systems_start_answer_and_end(system: System, workload: Workload) -> None:
    """What needs no environment of its own starts, answers again, and leaves no process."""
    with running(system, workload) as server:
        family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        assert server.start_s > 0
        assert server.idle_mib > 0
        with client(server.url) as found:
            assert found.post_s(system.hello(workload)) > 0
    assert not [process for process in family if process.is_running()]


def test_peak_of_memory_is_taken_anew() -> None:
    """The peak that was forgotten is not found again."""
    with running(SOCKET, UPLOAD) as server:
        before = server.peak_mib()
        server.forget_peak()
        assert 0 < server.peak_mib() <= before


def test_a_server_that_ends_is_unavailable() -> None:
    """What a server said before it ended is the reason why it is not measured."""
    broken = System("broken", ("-c", "import sys; sys.exit('no such thing')"))
    with pytest.raises(UnavailableError, match="it ended, saying: no such thing"), running(broken, TRIVIAL):
        pass


def test_a_server_that_fails_is_left_out() -> None:
    """Rounds go on without a server that cannot be started, and with one whose row failed."""

    def fail(_: object) -> float:
        raise RuntimeError("7 of 9 requests failed")

    broken = System("broken", ("-c", "raise SystemExit('gone')"))
    rows = (
        Row("fine", "fine", "s", TRIVIAL, (BARE, broken), lambda server: server.start_s),
        Row("failing", "failing", "s", TRIVIAL, (BARE,), fail),
    )
    said: list[str] = []
    found = measure(rows, 2, said.append)
    assert [len(figures) for figures in found.figures["fine"].values()] == [2]
    assert found.problems == {
        ("fine", broken): "it cannot be started: it ended, saying: gone",
        ("failing", BARE): "7 of 9 requests failed",
    }
    assert [line for line in said if "broken" in line] == ["round 1 of 2: broken, fine"]


def test_figures_of_growth_leave_what_was_written(tmp_path: Path) -> None:
    """The figures are written below the mark, again and again; the text above it stays."""
    path = tmp_path / "growth.md"
    curve = medians([Curve("Time", "connections", "ms", {"median": {1: y, 512: 2 * y}}) for y in (1, 3, 2)])
    write(path, [curve], {"kernel": "K 1"})
    path.write_text(path.read_text().replace("# Growth\n", "# Growth\n\nWhat bends it.\n"))
    write(path, [curve], {"kernel": "K 2"})
    text = path.read_text()
    assert text.startswith("# Growth\n\nWhat bends it.\n")
    assert "K 1" not in text
    assert text.count(table_of_curve(curve).strip()) == 1
    assert "| 512 | 4.00 |" in text
