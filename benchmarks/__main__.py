"""Measure this server beside others, and write what was found: `python -m benchmarks [ROUNDS]`."""

import sys
from pathlib import Path

import click

from benchmarks import machine, report
from benchmarks.measuring import Results, measure
from benchmarks.rows.row import Row
from benchmarks.rows.table import ALL_ROWS
from benchmarks.systems.running import end_on_sigterm
from benchmarks.systems.system import System
from benchmarks.systems.table import ALL

_PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


@click.command()
@click.argument("rounds", type=click.IntRange(min=1), default=3)
@click.option("--rows", "keys", default="", help="Rows to measure, separated by commas; without it, all.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Page to write; docs/benchmarks.md for all rows."
)
def main(rounds: int, keys: str, output: Path | None) -> None:
    """Measure all rows in interleaved ROUNDS, print the table, and write the page."""
    rows = _chosen(keys)
    end_on_sigterm()
    facts = machine.describe()
    results = measure(rows, rounds, _say)
    click.echo(report.table(rows, results))
    path = output or (None if keys else _PAGE)
    if path:
        path.parent.mkdir(exist_ok=True)
        path.write_text(report.page(rows, results, rounds=rounds, machine=facts, versions=_versions(results)))
        _say(f"written to {path}")


def _chosen(keys: str) -> tuple[Row, ...]:
    asked = [key.strip() for key in keys.split(",") if key.strip()]
    unknown = set(asked) - {row.key for row in ALL_ROWS}
    if unknown:
        known = ", ".join(row.key for row in ALL_ROWS)
        raise click.UsageError(f"There is no row {', '.join(sorted(unknown))}; there are {known}.")
    return tuple(row for row in ALL_ROWS if not asked or row.key in asked)


def _versions(results: Results) -> dict[System, str]:
    """Return the versions of the servers that were measured."""
    measured = {system.name for figures in results.figures.values() for system in figures}
    return {system: system.version() for system in ALL if system.name in measured}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
