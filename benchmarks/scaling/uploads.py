"""Uploads of 1 kB to 100 MB: latency, compared with a plain copy through a socket."""

import statistics

from benchmarks.load.plain import client
from benchmarks.load.request import multipart
from benchmarks.scaling.series import Points, Series, spent
from benchmarks.servers.running import Running, running
from benchmarks.servers.table import OURS, SOCKET, UPLOAD

_SIZES_BYTES = (10**3, 10**4, 10**5, 10**6, 10**7, 10**8)
_TOTAL_BYTES = 10**9
_FEWEST = 7
_MOST = 400


def measure() -> list[Series]:
    """Measure one server with uploads of increasing size."""
    with running(OURS, UPLOAD) as server:
        times, server_ms, worker_ms = _measured(server)
    with running(SOCKET, UPLOAD) as server:
        copied, _, _ = _measured(server)
    used = {"server": server_ms, "worker": worker_ms}
    return [
        Series("Sequential uploads", "bytes", "ms", {OURS.name: times, SOCKET.name: copied}),
        Series("CPU time per upload", "bytes", "ms", used),
    ]


def _measured(server: Running) -> tuple[Points, Points, Points]:
    """Return by size the median time, and the processor time of server and worker, in milliseconds."""
    times: Points = {}
    server_ms: Points = {}
    worker_ms: Points = {}
    with client(server.url) as plain:
        for size in _SIZES_BYTES:
            request, count = multipart(size), _times(size)
            before = spent(server)
            times[size] = 1000 * statistics.median(plain.post_s(request) for _ in range(count))
            after = spent(server)
            server_ms[size] = 1000 * (after.server_s - before.server_s) / count
            worker_ms[size] = 1000 * (after.workers_s - before.workers_s) / count
    return times, server_ms, worker_ms


def _times(size_bytes: int) -> int:
    """Return how often to send a body: enough for processor time, which has a resolution of 10 ms."""
    return min(max(_TOTAL_BYTES // size_bytes, _FEWEST), _MOST)
