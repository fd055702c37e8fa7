"""Benchmarks: how the report shows figures, and that the servers can be measured."""

from pathlib import Path

import psutil
import pytest
from benchmarks.load.plain import client
from benchmarks.report import number, page, table
from benchmarks.runner import Results, measure
from benchmarks.scaling.page import table as table_of_series
from benchmarks.scaling.page import write
from benchmarks.scaling.series import Series, medians
from benchmarks.scenarios.scenario import Scenario, Target
from benchmarks.scenarios.table import ALL_SCENARIOS
from benchmarks.servers.running import running
from benchmarks.servers.server import ServerUnderTest, UnavailableError, Workload
from benchmarks.servers.table import BARE, BATCHED, LARGE, OURS, SOCKET, TRIVIAL, UPLOAD

pytestmark = pytest.mark.slow
OTHER = ServerUnderTest("other", ())
THIRD = ServerUnderTest("third", ())
SCENARIO = Scenario(
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
    """Return figures of the scenario's servers, by the first word of their names."""
    found = {
        server: figures[server.name.split()[0]]
        for server in SCENARIO.servers
        if server.name.split()[0] in figures
    }
    return Results(figures={SCENARIO.key: found})


def test_table() -> None:
    """Each server has a line with min, median, max, ratio of medians, target and verdict."""
    lines = table(
        [SCENARIO], results(this=[300, 100, 200], other=[80, 110, 90], third=[1, 2, 3])
    ).splitlines()
    assert lines[2:] == [
        "| some work, 1/s | this server | 100 | 200 | 300 |  | ≥ 400 1/s | **no** |",
        "|  | other | 80.0 | 90.0 | 110 | 2.22 | ≥ 2 times | yes |",
        "|  | third | 1.00 | 2.00 | 3.00 | 100 |  |  |",
    ]


def test_less_is_better() -> None:
    """For times and memory, a target is an upper bound."""
    scenario = Scenario("time", "time", "ms", TRIVIAL, (OURS, OTHER), lambda _: 0.0, (Target(1.3, OTHER),))
    for mine, is_met in (([1.3], True), ([1.4], False)):
        assert scenario.is_met({OURS: mine, OTHER: [1.0]}, scenario.targets[0]) is is_met


def test_unmeasured_server_has_its_reason_in_the_table() -> None:
    """The table shows why a server was not measured; the verdict is "unknown"."""
    found = results(this=[200])
    found.problems[SCENARIO.key, OTHER] = "cannot | start"
    text = table([SCENARIO], found)
    assert "|  | other |  | not measured: cannot / start |  |  | ≥ 2 times | unknown |" in text
    assert "- `rate`, other: cannot | start" in text


def test_page_names_machine_and_configuration() -> None:
    text = page([SCENARIO], results(this=[1]), rounds=3, machine={"kernel": "K 1"}, versions={BARE: "V 2"})
    assert "Each of the 3 rounds" in text
    assert "| kernel | K 1 |" in text
    assert f"- **bare aiohttp handler** (V 2): {BARE.how}." in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(12345.6, "12,346"), (100, "100"), (99.96, "100"), (1.5, "1.50"), (0.01234, "0.0123")],
)
def test_numbers(value: float, shown: str) -> None:
    """Figures have three significant digits."""
    assert number(value) == shown


def test_scenario_keys_are_unique() -> None:
    """Keys are unique, and each target refers to another server of its scenario."""
    assert len({scenario.key for scenario in ALL_SCENARIOS}) == len(ALL_SCENARIOS)
    for scenario in ALL_SCENARIOS:
        assert {target.against for target in scenario.targets} <= {None, *scenario.servers[1:]}


@pytest.mark.parametrize(
    ("under_test", "workload"),
    [
        (OURS, TRIVIAL),
        (OURS, UPLOAD),
        (OURS, LARGE),
        (OURS, BATCHED),
        (BARE, TRIVIAL),
        (SOCKET, LARGE),
    ],
    ids=lambda value: value.name if isinstance(value, ServerUnderTest) else value.model,
)
def test_servers_start_answer_and_stop(under_test: ServerUnderTest, workload: Workload) -> None:
    """Servers that need no environment of their own start, respond and leave no process behind."""
    with running(under_test, workload) as server:
        family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        assert server.start_s > 0
        assert server.idle_mib > 0
        with client(server.url) as found:
            assert found.post_s(under_test.hello(workload)) > 0
    assert not [process for process in family if process.is_running()]


def test_forget_peak_resets_the_peak_memory() -> None:
    with running(SOCKET, UPLOAD) as server:
        before = server.peak_mib()
        server.forget_peak()
        assert 0 < server.peak_mib() <= before


def test_server_that_exits_is_unavailable() -> None:
    """The last line of the server's output becomes the reason."""
    broken = ServerUnderTest("broken", ("-c", "import sys; sys.exit('no such thing')"))
    with pytest.raises(UnavailableError, match="it exited: no such thing"), running(broken, TRIVIAL):
        pass


def test_failing_server_is_skipped() -> None:
    """The rounds continue without a server that cannot start, and past a scenario that fails."""

    def fail(_: object) -> float:
        raise RuntimeError("7 of 9 requests failed")

    broken = ServerUnderTest("broken", ("-c", "raise SystemExit('gone')"))
    scenarios = (
        Scenario("fine", "fine", "s", TRIVIAL, (BARE, broken), lambda server: server.start_s),
        Scenario("failing", "failing", "s", TRIVIAL, (BARE,), fail),
    )
    said: list[str] = []
    found = measure(scenarios, 2, said.append)
    assert [len(figures) for figures in found.figures["fine"].values()] == [2]
    assert found.problems == {
        ("fine", broken): "cannot start: it exited: gone",
        ("failing", BARE): "7 of 9 requests failed",
    }
    assert [line for line in said if "broken" in line] == ["round 1 of 2: broken, fine"]


def test_scaling_page_keeps_the_text_above_the_mark(tmp_path: Path) -> None:
    """Figures below the mark are replaced; the text above it stays."""
    path = tmp_path / "scaling.md"
    series = medians([Series("Time", "connections", "ms", {"median": {1: y, 512: 2 * y}}) for y in (1, 3, 2)])
    write(path, [series], {"kernel": "K 1"})
    path.write_text(path.read_text().replace("# Scaling\n", "# Scaling\n\nWhat bends it.\n"))
    write(path, [series], {"kernel": "K 2"})
    text = path.read_text()
    assert text.startswith("# Scaling\n\nWhat bends it.\n")
    assert "K 1" not in text
    assert text.count(table_of_series(series).strip()) == 1
    assert "| 512 | 4.00 |" in text
