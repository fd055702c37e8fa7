"""A scenario of the benchmark and its targets."""

import dataclasses
import statistics
from collections.abc import Callable, Mapping

from benchmarks.servers.running import Running
from benchmarks.servers.server import ServerUnderTest, Workload

Measure = Callable[[Running], float]
Figures = Mapping[ServerUnderTest, list[float]]


@dataclasses.dataclass(frozen=True)
class Target:
    """A bound for the scenario's first server.

    It limits the median, or, with a server `against`, the median divided by the median of that server.
    """

    bound: float
    against: ServerUnderTest | None = None


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A workload and its measure, which returns one figure in `unit` for a running server.

    The first of `servers` is compared with the others. `is_more_better` is true for rates, false for times
    and memory.
    """

    key: str
    title: str
    unit: str
    workload: Workload
    servers: tuple[ServerUnderTest, ...]
    measure: Measure
    targets: tuple[Target, ...] = ()
    is_more_better: bool = False

    def get_target(self, server: ServerUnderTest) -> Target | None:
        """Return the target relative to that server; for the first server, the absolute target."""
        against = None if server is self.servers[0] else server
        return next((target for target in self.targets if target.against is against), None)

    def ratio(self, figures: Figures, server: ServerUnderTest) -> float | None:
        """Return the first server's median divided by that server's, or None without figures."""
        mine, theirs = figures.get(self.servers[0]), figures.get(server)
        if not mine or not theirs:
            return None
        return statistics.median(mine) / statistics.median(theirs)

    def is_met(self, figures: Figures, target: Target) -> bool | None:
        """Return whether the target is met; None if that is unknown."""
        mine = figures.get(self.servers[0])
        if target.against is not None:
            found = self.ratio(figures, target.against)
        else:
            found = statistics.median(mine) if mine else None
        if found is None:
            return None
        return found >= target.bound if self.is_more_better else found <= target.bound
