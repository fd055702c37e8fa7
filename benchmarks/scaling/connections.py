"""1 to 512 connections: throughput, latency and processor time of small predictions."""

from benchmarks.load.request import SMALL
from benchmarks.load.wrk import load
from benchmarks.scaling.series import Points, Series, spent
from benchmarks.servers.running import running
from benchmarks.servers.table import OURS, TRIVIAL

_CONNECTIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_WARM_S = 1
_SECONDS = 2


def measure() -> list[Series]:
    """Measure one server with an increasing number of connections."""
    rate: Points = {}
    times: dict[str, Points] = {"median": {}, "99th percentile": {}}
    used: dict[str, Points] = {"server": {}, "worker": {}, "wrk": {}}
    with running(OURS, TRIVIAL) as server:
        load(server.url, SMALL, connections=1, seconds=_WARM_S)
        for count in _CONNECTIONS:
            before = spent(server)
            found = load(server.url, SMALL, connections=count, seconds=_SECONDS)
            after = spent(server)
            rate[count] = found.per_s
            times["median"][count], times["99th percentile"][count] = found.p50_ms, found.p99_ms
            used["server"][count] = 1e6 * (after.server_s - before.server_s) / found.answered
            used["worker"][count] = 1e6 * (after.workers_s - before.workers_s) / found.answered
            used["wrk"][count] = 1e6 * found.spent_s / found.answered
    return [
        Series("Small predictions", "connections", "1/s", {"predictions": rate}),
        Series("Latency", "connections", "ms", times),
        Series("CPU time per prediction", "connections", "µs", used),
    ]
