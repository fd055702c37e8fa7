"""1 to 8 workers: throughput of a trivial model and of one that computes."""

from benchmarks.load.request import SMALL
from benchmarks.load.wrk import load
from benchmarks.scaling.series import Points, Series
from benchmarks.servers.running import running
from benchmarks.servers.server import Workload
from benchmarks.servers.table import BUSY, OURS, TRIVIAL

_WORKERS = (1, 2, 4, 8)
_CONNECTIONS = 32
_WARM_S = 1
_SECONDS = 3


def measure() -> list[Series]:
    """Measure servers with an increasing number of workers."""
    small: Points = {}
    busy: Points = {}
    memory: Points = {}
    for count in _WORKERS:
        small[count], memory[count] = _measured(TRIVIAL, count)
        busy[count], _ = _measured(BUSY, count)
    rates = {"trivial model": small, "model of 50 ms": busy}
    return [
        Series("Workers", "workers", "1/s", rates),
        Series("Idle memory (PSS)", "workers", "MiB", {"all processes": memory}, is_drawn=False),
    ]


def _measured(workload: Workload, workers: int) -> tuple[float, float]:
    server = OURS.variant(f"{workers} workers", "--workers", str(workers))
    with running(server, workload) as started:
        load(started.url, SMALL, connections=_CONNECTIONS, seconds=_WARM_S)
        found = load(started.url, SMALL, connections=_CONNECTIONS, seconds=_SECONDS)
        return found.per_s, started.idle_mib
