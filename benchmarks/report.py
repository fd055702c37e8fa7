"""Formats the results as Markdown."""

import statistics
from collections.abc import Iterable, Iterator, Mapping

from benchmarks.runner import Results
from benchmarks.scenarios.scenario import Scenario, Target
from benchmarks.servers.server import ServerUnderTest

_HEAD = """\
| scenario | server | min | median | max | this server / other | target | met |
|---|---|---:|---:|---:|---:|---:|---|
"""


def table(scenarios: Iterable[Scenario], results: Results) -> str:
    """Return a table with a line for each scenario and server, followed by the problems."""
    lines = [_line(scenario, server, results) for scenario in scenarios for server in scenario.servers]
    notes = "".join(f"- {note}\n" for note in _notes(results))
    return _HEAD + "".join(lines) + (f"\nNot measured:\n\n{notes}" if notes else "")


def page(
    scenarios: Iterable[Scenario],
    results: Results,
    *,
    rounds: int,
    machine: Mapping[str, str],
    versions: Mapping[ServerUnderTest, str],
) -> str:
    """Return the complete page."""
    facts = "".join(f"| {name} | {text} |\n" for name, text in machine.items())
    servers = "".join(
        f"- **{server.name}** ({version}): {server.how}.\n" for server, version in versions.items()
    )
    return _PAGE.format(rounds=rounds, table=table(scenarios, results), facts=facts, servers=servers)


_PAGE = """\
# Benchmarks

Written by `make bench`: do not edit. Each of the {rounds} rounds starts, measures and stops every server in
turn, so that no two run at the same time. A ratio is this server's median divided by the other's. A target
applies to that ratio, or to this server's own median.

{table}
## The machine

| | |
|---|---|
{facts}
The load generator runs on the same machine and uses part of it.

## Configuration of each server

Every server is bound to 127.0.0.1, has one worker and runs the same model code on the same input:
`{{"x": 1}}` in a JSON body for small predictions, a part of 100 kB in a form for uploads. Servers send no
usage statistics. Access logs are off if the server allows that; all output goes to a file. The other
servers are installed from PyPI into separate environments in `.venv-bench/`.

{servers}"""


def _line(scenario: Scenario, server: ServerUnderTest, results: Results) -> str:
    figures = results.figures.get(scenario.key, {})
    work = f"{scenario.title}, {scenario.unit}" if server is scenario.servers[0] else ""
    target = scenario.get_target(server)
    cells = (
        work,
        server.name,
        *_spread(figures.get(server, []), results.problems.get((scenario.key, server), "")),
        _ratio(scenario, server, results),
        _bound(scenario, target),
        _verdict(scenario.is_met(figures, target)) if target else "",
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"


def _spread(found: list[float], problem: str) -> tuple[str, str, str]:
    if not found:
        return "", f"not measured: {problem}" if problem else "", ""
    low, middle, high = min(found), statistics.median(found), max(found)
    return number(low), number(middle), number(high)


def number(value: float) -> str:
    """Return a number with three significant digits."""
    if abs(value) >= 100:  # noqa: PLR2004 - three digits before the point
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")


def _ratio(scenario: Scenario, server: ServerUnderTest, results: Results) -> str:
    found = (
        None
        if server is scenario.servers[0]
        else scenario.ratio(results.figures.get(scenario.key, {}), server)
    )
    return "" if found is None else number(found)


def _bound(scenario: Scenario, target: Target | None) -> str:
    if target is None:
        return ""
    sign = "≥" if scenario.is_more_better else "≤"
    unit = "times" if target.against else scenario.unit
    return f"{sign} {target.bound:g} {unit}"


def _verdict(is_met: bool | None) -> str:  # noqa: FBT001 - its only parameter
    return {True: "yes", False: "**no**", None: "unknown"}[is_met]


def _notes(results: Results) -> Iterator[str]:
    for (key, server), problem in results.problems.items():
        yield f"`{key}`, {server.name}: {problem}"
