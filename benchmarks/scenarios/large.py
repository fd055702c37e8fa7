"""Uploads and results of 50 MB, compared with a plain socket, and the server's memory."""

import statistics

from benchmarks.load.plain import client
from benchmarks.load.request import EMPTY, Request, multipart
from benchmarks.scenarios.scenario import Measure, Scenario, Target
from benchmarks.servers.running import Running
from benchmarks.servers.table import DEEPAAS_26, LARGE, OURS, SOCKET, UPLOAD

_BYTES = 50_000_000
_TIMES = 5
_FLAT_MIB = 8


def speed(request: Request) -> Measure:
    """Return a measure of throughput in MB/s, the median of several transfers."""

    def measure(running: Running) -> float:
        with client(running.url) as found:
            return _BYTES / 1e6 / statistics.median(found.post_s(request) for _ in range(_TIMES))

    return measure


def growth(request: Request) -> Measure:
    """Return a measure of the server's peak memory growth in MiB."""

    def measure(running: Running) -> float:
        running.forget_peak()
        before = running.peak_mib()
        with client(running.url) as found:
            for _ in range(_TIMES):
                found.post_s(request)
        return running.peak_mib() - before

    return measure


_UPLOAD = multipart(_BYTES)
_SERVERS = (OURS, DEEPAAS_26)
_SHARE = Target(0.6, SOCKET)

# Memory growth is measured first, before the server has handled such a body.
SCENARIOS = (
    Scenario(
        "large-upload-memory",
        "50 MB upload, growth of the server's memory at its peak",
        "MiB",
        UPLOAD,
        _SERVERS,
        growth(_UPLOAD),
        (Target(_FLAT_MIB),),
    ),
    Scenario(
        "large-upload",
        "50 MB upload, 1 connection",
        "MB/s",
        UPLOAD,
        (*_SERVERS, SOCKET),
        speed(_UPLOAD),
        (_SHARE,),
        is_more_better=True,
    ),
    Scenario(
        "large-result-memory",
        "50 MB result, growth of the server's memory at its peak",
        "MiB",
        LARGE,
        _SERVERS,
        growth(EMPTY),
        (Target(_FLAT_MIB),),
    ),
    Scenario(
        "large-result",
        "50 MB result, 1 connection",
        "MB/s",
        LARGE,
        (*_SERVERS, SOCKET),
        speed(EMPTY),
        (_SHARE,),
        is_more_better=True,
    ),
)
