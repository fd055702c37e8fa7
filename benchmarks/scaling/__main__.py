"""Measure how costs grow, and write the tables and the plot: `python -m benchmarks.scaling`."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from benchmarks import machine
from benchmarks.scaling import connections, models, page, plot, trainings, uploads, workers
from benchmarks.scaling.series import Series, medians
from benchmarks.servers.running import end_on_sigterm

_DOCS = Path(__file__).parent.parent.parent / "docs"
_PARTS: dict[str, Callable[[], list[Series]]] = {
    "connections": connections.measure,
    "workers": workers.measure,
    "uploads": uploads.measure,
    "models": models.measure,
    "trainings": trainings.measure,
}


@click.command()
@click.argument("rounds", type=click.IntRange(min=1), default=2)
@click.option(
    "--only", type=click.Choice(list(_PARTS)), multiple=True, help="Part to measure; nothing is written then."
)
def main(rounds: int, only: tuple[str, ...]) -> None:
    """Measure everything in ROUNDS, and write the medians into docs/scaling.md and its plot."""
    end_on_sigterm()
    facts = machine.describe() | {"rounds": str(rounds)}
    measured = [[series for name in only or _PARTS for series in _measured(name)] for _ in range(rounds)]
    found = [medians(same) for same in zip(*measured, strict=True)]
    for series in found:
        click.echo(page.table(series))
    if not only:
        plot.draw([series for series in found if series.is_drawn], _DOCS / "images" / "scaling.svg")
        page.write(_DOCS / "scaling.md", found, facts)


def _measured(name: str) -> list[Series]:
    began = time.monotonic()
    found = _PARTS[name]()
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    main()
