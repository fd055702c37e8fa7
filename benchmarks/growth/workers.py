"""1 to 8 workers: predictions a second of a model that costs nothing and of one that computes."""

from benchmarks.growth.curve import Curve, Points
from benchmarks.load.request import SMALL
from benchmarks.load.wrk import load
from benchmarks.systems.running import running
from benchmarks.systems.system import Workload
from benchmarks.systems.table import BUSY, OURS, TRIVIAL

_WORKERS = (1, 2, 4, 8)
_CONNECTIONS = 32
_WARM_S = 1
_SECONDS = 3


def curves() -> list[Curve]:
    """Measure servers with more and more workers."""
    small: Points = {}
    busy: Points = {}
    memory: Points = {}
    for count in _WORKERS:
        small[count], memory[count] = _measured(TRIVIAL, count)
        busy[count], _ = _measured(BUSY, count)
    rates = {"trivial model": small, "50 ms of computing": busy}
    return [
        Curve("Workers", "workers", "1/s", rates),
        Curve("Idle memory (PSS)", "workers", "MiB", {"all processes": memory}, is_drawn=False),
    ]


def _measured(workload: Workload, workers: int) -> tuple[float, float]:
    system = OURS.variant(f"{workers} workers", "--workers", str(workers))
    with running(system, workload) as server:
        load(server.url, SMALL, connections=_CONNECTIONS, seconds=_WARM_S)
        found = load(server.url, SMALL, connections=_CONNECTIONS, seconds=_SECONDS)
        return found.per_s, server.idle_mib
