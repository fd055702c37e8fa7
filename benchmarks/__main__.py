"""Run the measurements, interleaved, and print them as a Markdown table: `python -m benchmarks [ROUNDS]`."""

import contextlib
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import rows
from benchmarks.systems import BARE, DEEPAAS_26, OURS, Running, System

_ROUNDS = 5
Measure = Callable[[System, Running], float]

TABLE: tuple[tuple[str, Measure, tuple[System, ...]], ...] = (
    ("small prediction, 32 connections, 1/s", rows.throughput, (OURS, DEEPAAS_26, BARE)),
    ("small prediction, 1 connection, median ms", rows.latency_ms, (OURS, DEEPAAS_26, BARE)),
    ("no-op training, POST to done, ms", rows.training_ms, (OURS, DEEPAAS_26)),
)


def main(rounds: int) -> None:
    """Measure every row in turn on every system, round after round, and print the medians."""
    with contextlib.ExitStack() as stack:
        started = {system: stack.enter_context(_started(system)) for system in (OURS, DEEPAAS_26, BARE)}
        figures: dict[tuple[str, System], list[float]] = {}
        for _ in range(rounds):
            for title, measure, systems in TABLE:
                for system in systems:
                    figures.setdefault((title, system), []).append(measure(system, started[system]))
    print("| work | system | min | median | max | this server / it |")
    print("|---|---|---|---|---|---|")
    for (title, system), found in figures.items():
        ratio = statistics.median(figures[title, OURS]) / statistics.median(found)
        low, middle, high = min(found), statistics.median(found), max(found)
        print(f"| {title} | {system.name} | {low:.4g} | {middle:.4g} | {high:.4g} | {ratio:.2f} |")
    imports = statistics.median(
        rows.import_ms(OURS.python(), "deepaas.trainings.child") for _ in range(rounds)
    )
    print(f"\nOf this server's training, {imports:.0f} ms are the imports of its fresh process.")


@contextlib.contextmanager
def _started(system: System) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as folder, system.running(Path(folder)) as running:
        yield running


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else _ROUNDS)
