"""The rounds: every server in turn, started, measured and stopped, again and again.

It must not know what the rows measure, nor how figures are shown.
"""

import dataclasses
import http.client
from collections.abc import Callable, Iterable, Iterator, Sequence

from benchmarks.rows.row import Row
from benchmarks.systems.running import Running, running
from benchmarks.systems.system import System, UnavailableError, Workload

Say = Callable[[str], None]


@dataclasses.dataclass
class Results:
    """Figures by a row's key and by server, and why some are missing."""

    figures: dict[str, dict[System, list[float]]] = dataclasses.field(default_factory=dict)
    problems: dict[tuple[str, System], str] = dataclasses.field(default_factory=dict)

    def add(self, row: Row, system: System, figure: float) -> None:
        """Keep a figure."""
        self.figures.setdefault(row.key, {}).setdefault(system, []).append(figure)


def measure(rows: Sequence[Row], rounds: int, say: Say) -> Results:
    """Return what all rounds gave; `say` is told how far they are."""
    results = Results()
    plan = list(_plan(rows))
    unavailable: set[tuple[Workload, System]] = set()
    for number in range(1, rounds + 1):
        for workload, system, asked in plan:
            if (workload, system) in unavailable:
                continue
            say(f"round {number} of {rounds}: {system.name}, {', '.join(row.key for row in asked)}")
            try:
                with running(system, workload) as server:
                    _measure_all(asked, server, results)
            except UnavailableError as error:
                unavailable.add((workload, system))
                results.problems.update({(row.key, system): str(error) for row in asked})
    return results


def _plan(rows: Sequence[Row]) -> Iterator[tuple[Workload, System, list[Row]]]:
    """Yield each server to start, and the rows that it is started for."""
    for workload in dict.fromkeys(row.workload for row in rows):
        served = [row for row in rows if row.workload == workload]
        for system in dict.fromkeys(system for row in served for system in row.systems):
            yield workload, system, [row for row in served if system in row.systems]


def _measure_all(rows: Iterable[Row], server: Running, results: Results) -> None:
    for row in rows:
        try:
            results.add(row, server.system, row.measure(server))
        except (RuntimeError, OSError, http.client.HTTPException) as error:
            results.problems[row.key, server.system] = str(error)
