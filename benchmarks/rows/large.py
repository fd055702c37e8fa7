"""Uploads and results of 50 MB, beside what a socket carries; the server's memory meanwhile."""

import statistics

from benchmarks.load.plain import client
from benchmarks.load.request import EMPTY, Request, multipart
from benchmarks.rows.row import Measure, Row, Target
from benchmarks.systems.running import Running
from benchmarks.systems.table import DEEPAAS_26, LARGE, OURS, SOCKET, UPLOAD

_BYTES = 50_000_000
_TIMES = 5
_FLAT_MIB = 8


def speed(request: Request) -> Measure:
    """Return what measures MB/s, as the median of some transfers, one after the other."""

    def measure(running: Running) -> float:
        with client(running.url) as found:
            return _BYTES / 1e6 / statistics.median(found.post_s(request) for _ in range(_TIMES))

    return measure


def growth(request: Request) -> Measure:
    """Return what measures by how many MiB the server's own process grows, at its peak."""

    def measure(running: Running) -> float:
        running.forget_peak()
        before = running.peak_mib()
        with client(running.url) as found:
            for _ in range(_TIMES):
                found.post_s(request)
        return running.peak_mib() - before

    return measure


_UPLOAD = multipart(_BYTES)
_SYSTEMS = (OURS, DEEPAAS_26)
_SHARE = Target(0.6, SOCKET)

# The growth is measured first, when the server has not had such a body yet.
ROWS = (
    Row(
        "large-upload-memory",
        "50 MB upload, growth of the server's memory at its peak",
        "MiB",
        UPLOAD,
        _SYSTEMS,
        growth(_UPLOAD),
        (Target(_FLAT_MIB),),
    ),
    Row(
        "large-upload",
        "50 MB upload, 1 connection",
        "MB/s",
        UPLOAD,
        (*_SYSTEMS, SOCKET),
        speed(_UPLOAD),
        (_SHARE,),
        is_more_better=True,
    ),
    Row(
        "large-result-memory",
        "50 MB result, growth of the server's memory at its peak",
        "MiB",
        LARGE,
        _SYSTEMS,
        growth(EMPTY),
        (Target(_FLAT_MIB),),
    ),
    Row(
        "large-result",
        "50 MB result, 1 connection",
        "MB/s",
        LARGE,
        (*_SYSTEMS, SOCKET),
        speed(EMPTY),
        (_SHARE,),
        is_more_better=True,
    ),
)
