"""A model that computes for 50 ms: what a second worker brings, and how fair the queue is."""

from benchmarks.load.request import SMALL
from benchmarks.load.wrk import load
from benchmarks.rows.row import Row, Target
from benchmarks.systems.running import Running
from benchmarks.systems.table import BUSY, OURS

_SERVICE_MS = 50
_CONNECTIONS = 8
_WORKERS = 2
_SECONDS = 4

_TWO = OURS.variant("2 workers", "--workers", str(_WORKERS))


def throughput(running: Running) -> float:
    """Return predictions a second."""
    return load(running.url, SMALL, connections=_CONNECTIONS, seconds=_SECONDS).per_s


def tail(running: Running) -> float:
    """Return the 99th percentile as a multiple of what it is in the ideal queue.

    There, the clients take turns: each waits until the others have been served by two workers.
    """
    ideal_ms = _SERVICE_MS * _CONNECTIONS / _WORKERS
    return load(running.url, SMALL, connections=_CONNECTIONS, seconds=_SECONDS).p99_ms / ideal_ms


ROWS = (
    Row(
        "busy",
        "model that computes for 50 ms, 8 connections",
        "1/s",
        BUSY,
        (_TWO, OURS),
        throughput,
        (Target(1.9, OURS),),
        is_more_better=True,
    ),
    Row(
        "busy-tail",
        "the same, 99th percentile of the time",
        "ideal queues",
        BUSY,
        (_TWO,),
        tail,
        (Target(1.3),),
    ),
)
