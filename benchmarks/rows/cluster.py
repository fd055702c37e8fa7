"""What a cluster's engine costs: the same small predictions on this machine's processes and through Ray."""

from benchmarks.load.request import SMALL
from benchmarks.rows.row import Row, Target
from benchmarks.rows.small import latency_ms, throughput
from benchmarks.systems.table import OURS, OURS_ON_RAY, RAY, TRIVIAL

_SYSTEMS = (OURS_ON_RAY, OURS, RAY)

ROWS = (
    Row(
        "ray",
        "small prediction through a Ray actor, 32 connections",
        "1/s",
        TRIVIAL,
        _SYSTEMS,
        throughput(SMALL),
        (Target(1, RAY),),
        is_more_better=True,
    ),
    Row(
        "ray latency",
        "small prediction through a Ray actor, 1 connection, median",
        "ms",
        TRIVIAL,
        _SYSTEMS,
        latency_ms,
        (Target(1, RAY),),
    ),
)
