"""Runs the rounds: each starts every server in turn, measures it and stops it."""

import dataclasses
import http.client
from collections.abc import Callable, Iterable, Iterator, Sequence

from benchmarks.scenarios.scenario import Scenario
from benchmarks.servers.running import Running, running
from benchmarks.servers.server import ServerUnderTest, UnavailableError, Workload

Say = Callable[[str], None]


@dataclasses.dataclass
class Results:
    """Figures by scenario key and server, and the reasons for missing ones."""

    figures: dict[str, dict[ServerUnderTest, list[float]]] = dataclasses.field(default_factory=dict)
    problems: dict[tuple[str, ServerUnderTest], str] = dataclasses.field(default_factory=dict)

    def add(self, scenario: Scenario, server: ServerUnderTest, figure: float) -> None:
        """Keep a figure."""
        self.figures.setdefault(scenario.key, {}).setdefault(server, []).append(figure)


def measure(scenarios: Sequence[Scenario], rounds: int, say: Say) -> Results:
    """Measure all scenarios in `rounds`; report the progress to `say`."""
    results = Results()
    plan = list(_plan(scenarios))
    unavailable: set[tuple[Workload, ServerUnderTest]] = set()
    for number in range(1, rounds + 1):
        for workload, server, asked in plan:
            if (workload, server) in unavailable:
                continue
            say(f"round {number} of {rounds}: {server.name}, {', '.join(scenario.key for scenario in asked)}")
            try:
                with running(server, workload) as started:
                    _measure_all(asked, started, results)
            except UnavailableError as error:
                unavailable.add((workload, server))
                results.problems.update({(scenario.key, server): str(error) for scenario in asked})
    return results


def _plan(scenarios: Sequence[Scenario]) -> Iterator[tuple[Workload, ServerUnderTest, list[Scenario]]]:
    """Yield each server to start, with the scenarios that it is started for."""
    for workload in dict.fromkeys(scenario.workload for scenario in scenarios):
        served = [scenario for scenario in scenarios if scenario.workload == workload]
        for server in dict.fromkeys(server for scenario in served for server in scenario.servers):
            yield workload, server, [scenario for scenario in served if server in scenario.servers]


def _measure_all(scenarios: Iterable[Scenario], started: Running, results: Results) -> None:
    for scenario in scenarios:
        try:
            results.add(scenario, started.server, scenario.measure(started))
        except (RuntimeError, OSError, http.client.HTTPException) as error:
            results.problems[scenario.key, started.server] = str(error)
