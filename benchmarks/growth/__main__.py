"""Measure how costs grow, draw the curves and write the figures: `python -m benchmarks.growth`."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from benchmarks import machine
from benchmarks.growth import bodies, connections, models, page, plot, trainings, workers
from benchmarks.growth.curve import Curve, medians
from benchmarks.systems.running import end_on_sigterm

_DOCS = Path(__file__).parent.parent.parent / "docs"
_PARTS: dict[str, Callable[[], list[Curve]]] = {
    "connections": connections.curves,
    "workers": workers.curves,
    "bodies": bodies.curves,
    "models": models.curves,
    "trainings": trainings.curves,
}


@click.command()
@click.argument("rounds", type=click.IntRange(min=1), default=2)
@click.option(
    "--only", type=click.Choice(list(_PARTS)), multiple=True, help="Part to measure; nothing is written then."
)
def main(rounds: int, only: tuple[str, ...]) -> None:
    """Measure everything in ROUNDS, and write the medians into docs/growth.md and its picture."""
    end_on_sigterm()
    facts = machine.describe() | {"rounds": str(rounds)}
    measured = [[curve for name in only or _PARTS for curve in _measured(name)] for _ in range(rounds)]
    found = [medians(same) for same in zip(*measured, strict=True)]
    for curve in found:
        click.echo(page.table(curve))
    if not only:
        plot.draw([curve for curve in found if curve.is_drawn], _DOCS / "images" / "growth.svg")
        page.write(_DOCS / "growth.md", found, facts)


def _measured(name: str) -> list[Curve]:
    began = time.monotonic()
    found = _PARTS[name]()
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    main()
