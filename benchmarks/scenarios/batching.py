"""Batching, with a model for which a batch costs little more than a single input."""

from benchmarks.load.request import SMALL
from benchmarks.load.wrk import load
from benchmarks.scenarios.scenario import Scenario, Target
from benchmarks.servers.running import Running
from benchmarks.servers.table import BATCHED, OURS

_CONNECTIONS = 64
_WARM_S = 1
_SECONDS = 3

_ALONE = OURS.variant("each alone", "--max-batch-size", "1")


def throughput(running: Running) -> float:
    """Return predictions per second."""
    load(running.url, SMALL, connections=_CONNECTIONS, seconds=_WARM_S)
    return load(running.url, SMALL, connections=_CONNECTIONS, seconds=_SECONDS).per_s


SCENARIOS = (
    Scenario(
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
