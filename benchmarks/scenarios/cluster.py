"""Cost of the Ray engine: the same small predictions with local workers and through Ray."""

from benchmarks.load.request import SMALL
from benchmarks.scenarios.scenario import Scenario, Target
from benchmarks.scenarios.small import latency_ms, throughput
from benchmarks.servers.table import OURS, OURS_ON_RAY, RAY, TRIVIAL

_SERVERS = (OURS_ON_RAY, OURS, RAY)

SCENARIOS = (
    Scenario(
        "ray",
        "small prediction through a Ray actor, 32 connections",
        "1/s",
        TRIVIAL,
        _SERVERS,
        throughput(SMALL),
        (Target(1, RAY),),
        is_more_better=True,
    ),
    Scenario(
        "ray latency",
        "small prediction through a Ray actor, 1 connection, median",
        "ms",
        TRIVIAL,
        _SERVERS,
        latency_ms,
        (Target(1, RAY),),
    ),
)
