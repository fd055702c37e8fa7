"""Measure this server and others, and write a report: `python -m benchmarks [ROUNDS]`."""

import sys
from pathlib import Path

import click

from benchmarks import machine, report
from benchmarks.runner import Results, measure
from benchmarks.scenarios.scenario import Scenario
from benchmarks.scenarios.table import ALL_SCENARIOS
from benchmarks.servers.running import end_on_sigterm
from benchmarks.servers.server import ServerUnderTest
from benchmarks.servers.table import ALL

_PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


@click.command()
@click.argument("rounds", type=click.IntRange(min=1), default=3)
@click.option(
    "--scenarios", "keys", default="", help="Scenarios to measure, separated by commas (default: all)."
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="Page to write; docs/benchmarks.md for all scenarios."
)
def main(rounds: int, keys: str, output: Path | None) -> None:
    """Measure all scenarios in interleaved ROUNDS, print the table and write the report."""
    scenarios = _chosen(keys)
    end_on_sigterm()
    facts = machine.describe()
    results = measure(scenarios, rounds, _say)
    click.echo(report.table(scenarios, results))
    path = output or (None if keys else _PAGE)
    if path:
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            report.page(scenarios, results, rounds=rounds, machine=facts, versions=_versions(results))
        )
        _say(f"written to {path}")


def _chosen(keys: str) -> tuple[Scenario, ...]:
    asked = [key.strip() for key in keys.split(",") if key.strip()]
    unknown = set(asked) - {scenario.key for scenario in ALL_SCENARIOS}
    if unknown:
        known = ", ".join(scenario.key for scenario in ALL_SCENARIOS)
        raise click.UsageError(f"Unknown scenario: {', '.join(sorted(unknown))}. Use {known}.")
    return tuple(scenario for scenario in ALL_SCENARIOS if not asked or scenario.key in asked)


def _versions(results: Results) -> dict[ServerUnderTest, str]:
    measured = {server.name for figures in results.figures.values() for server in figures}
    return {server: server.version() for server in ALL if server.name in measured}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
