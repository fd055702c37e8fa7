"""The figures as Markdown.

It must not know how they were measured.
"""

import statistics
from collections.abc import Iterable, Iterator, Mapping

from benchmarks.measuring import Results
from benchmarks.rows.row import Row, Target
from benchmarks.systems.system import System

_HEAD = """\
| work | system | min | median | max | this server / it | to reach | reached |
|---|---|---:|---:|---:|---:|---:|---|
"""


def table(rows: Iterable[Row], results: Results) -> str:
    """Return the table, a line for every row and server, and below it what could not be measured."""
    lines = [_line(row, system, results) for row in rows for system in row.systems]
    notes = "".join(f"- {note}\n" for note in _notes(results))
    return _HEAD + "".join(lines) + (f"\nNot everything could be measured:\n\n{notes}" if notes else "")


def page(
    rows: Iterable[Row],
    results: Results,
    *,
    rounds: int,
    machine: Mapping[str, str],
    versions: Mapping[System, str],
) -> str:
    """Return the whole page."""
    facts = "".join(f"| {name} | {text} |\n" for name, text in machine.items())
    systems = "".join(
        f"- **{system.name}** ({version}): {system.how}.\n" for system, version in versions.items()
    )
    return _PAGE.format(rounds=rounds, table=table(rows, results), facts=facts, systems=systems)


_PAGE = """\
# Benchmarks

What `make bench` measured and wrote: do not edit. In every round each server in turn is started, measured
and stopped, so that none runs beside another; there were {rounds}. A ratio is this server's median divided
by that of the other; what is to be reached is such a ratio, or this server's own median.

{table}
## The machine

| | |
|---|---|
{facts}
The load runs on the same machine, and takes a part of it.

## How each system is configured

Every one is bound to 127.0.0.1, has one worker and runs the same model code on the same input: `{{"x": 1}}`
in a JSON body for small predictions, a part of 100 kB in a form for uploads. Servers send no usage
statistics, and write no access log where that can be switched off; what they write goes to a file. Peers
are installed from PyPI into environments of their own below `.venv-bench/`.

{systems}"""


def _line(row: Row, system: System, results: Results) -> str:
    figures = results.figures.get(row.key, {})
    work = f"{row.title}, {row.unit}" if system is row.systems[0] else ""
    target = row.target_of(system)
    cells = (
        work,
        system.name,
        *_spread(figures.get(system, []), results.problems.get((row.key, system), "")),
        _ratio(row, system, results),
        _bound(row, target),
        _verdict(row.is_met(figures, target)) if target else "",
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"


def _spread(found: list[float], problem: str) -> tuple[str, str, str]:
    if not found:
        return "", f"not measured: {problem}" if problem else "", ""
    low, middle, high = min(found), statistics.median(found), max(found)
    return number(low), number(middle), number(high)


def number(value: float) -> str:
    """Return a figure with three digits that count, written out."""
    if abs(value) >= 100:  # noqa: PLR2004 - three digits before the point
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")


def _ratio(row: Row, system: System, results: Results) -> str:
    found = None if system is row.systems[0] else row.ratio(results.figures.get(row.key, {}), system)
    return "" if found is None else number(found)


def _bound(row: Row, target: Target | None) -> str:
    if target is None:
        return ""
    sign = "≥" if row.is_more_better else "≤"
    unit = "times" if target.against else row.unit
    return f"{sign} {target.bound:g} {unit}"


def _verdict(is_met: bool | None) -> str:  # noqa: FBT001 - the one thing there is to say
    return {True: "yes", False: "**no**", None: "not known"}[is_met]


def _notes(results: Results) -> Iterator[str]:
    for (key, system), problem in results.problems.items():
        yield f"`{key}`, {system.name}: {problem}"
