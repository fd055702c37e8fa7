"""What a row of the table is.

It must not know how its figures are shown.
"""

import dataclasses
import statistics
from collections.abc import Callable, Mapping

from benchmarks.systems.running import Running
from benchmarks.systems.system import System, Workload

Measure = Callable[[Running], float]
Figures = Mapping[System, list[float]]


@dataclasses.dataclass(frozen=True)
class Target:
    """A bound that the row's first server has to keep.

    It is one of the ratio of its median to that of the server `against`, or, without one, of its median.
    """

    bound: float
    against: System | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    """A piece of work: `measure` gives one figure, in `unit`, of a server that serves `workload`.

    The first of `systems` is the one that is compared with the others. `is_more_better` is true of rates,
    false of times and memory.
    """

    key: str
    title: str
    unit: str
    workload: Workload
    systems: tuple[System, ...]
    measure: Measure
    targets: tuple[Target, ...] = ()
    is_more_better: bool = False

    def target_of(self, system: System) -> Target | None:
        """Return what is to be reached beside that server; beside itself, the bound without a ratio."""
        against = None if system is self.systems[0] else system
        return next((target for target in self.targets if target.against is against), None)

    def ratio(self, figures: Figures, system: System) -> float | None:
        """Return the first server's median divided by that server's, when both have figures."""
        mine, theirs = figures.get(self.systems[0]), figures.get(system)
        if not mine or not theirs:
            return None
        return statistics.median(mine) / statistics.median(theirs)

    def is_met(self, figures: Figures, target: Target) -> bool | None:
        """Say whether the target is reached; None when that is not known."""
        mine = figures.get(self.systems[0])
        if target.against is not None:
            found = self.ratio(figures, target.against)
        else:
            found = statistics.median(mine) if mine else None
        if found is None:
            return None
        return found >= target.bound if self.is_more_better else found <= target.bound
