"""A model that computes for 50 ms: gain from a second worker, and fairness of the queue."""

from benchmarks.load.request import SMALL
from benchmarks.load.wrk import load
from benchmarks.scenarios.scenario import Scenario, Target
from benchmarks.servers.running import Running
from benchmarks.servers.table import BUSY, OURS

_SERVICE_MS = 50
_CONNECTIONS = 8
_WORKERS = 2
_SECONDS = 4

_TWO = OURS.variant("2 workers", "--workers", str(_WORKERS))


def throughput(running: Running) -> float:
    """Return predictions per second."""
    return load(running.url, SMALL, connections=_CONNECTIONS, seconds=_SECONDS).per_s


def tail(running: Running) -> float:
    """Return the 99th percentile of the latency as a multiple of its value in an ideal queue.

    In an ideal queue clients take turns: each waits until two workers have served all others.
    """
    ideal_ms = _SERVICE_MS * _CONNECTIONS / _WORKERS
    return load(running.url, SMALL, connections=_CONNECTIONS, seconds=_SECONDS).p99_ms / ideal_ms


SCENARIOS = (
    Scenario(
        "busy",
        "model that computes for 50 ms, 8 connections",
        "1/s",
        BUSY,
        (_TWO, OURS),
        throughput,
        (Target(1.9, OURS),),
        is_more_better=True,
    ),
    Scenario(
        "busy-tail",
        "the same, 99th percentile of the time",
        "ideal queues",
        BUSY,
        (_TWO,),
        tail,
        (Target(1.3),),
    ),
)
