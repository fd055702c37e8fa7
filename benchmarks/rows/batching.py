"""A model for which many inputs at once cost little more than one."""

from benchmarks.load.request import SMALL
from benchmarks.load.wrk import load
from benchmarks.rows.row import Row, Target
from benchmarks.systems.running import Running
from benchmarks.systems.table import BATCHED, OURS

_CONNECTIONS = 64
_WARM_S = 1
_SECONDS = 3

_ALONE = OURS.variant("each alone", "--max-batch-size", "1")


def throughput(running: Running) -> float:
    """Return predictions a second."""
    load(running.url, SMALL, connections=_CONNECTIONS, seconds=_WARM_S)
    return load(running.url, SMALL, connections=_CONNECTIONS, seconds=_SECONDS).per_s


ROWS = (
    Row(
        "batching",
        "layer of 4096 by 4096 weights, 64 connections",
        "1/s",
        BATCHED,
        (OURS, _ALONE),
        throughput,
        (Target(5, _ALONE),),
        is_more_better=True,
    ),
)
