"""Small predictions: throughput and latency."""

from benchmarks.load.request import SMALL, SMALL_IN_QUERY, Request
from benchmarks.load.wrk import load
from benchmarks.scenarios.scenario import Measure, Scenario, Target
from benchmarks.servers.running import Running
from benchmarks.servers.table import BARE, BENTOML, DEEPAAS_26, LITSERVE, MOSEC, OURS, RAY, TRIVIAL

_CONNECTIONS = 32
_WARM_S = 1
_SECONDS = 3


def throughput(request: Request) -> Measure:
    """Return a measure of predictions per second at 32 connections."""

    def measure(running: Running) -> float:
        load(running.url, request, connections=_CONNECTIONS, seconds=_WARM_S)
        return load(running.url, request, connections=_CONNECTIONS, seconds=_SECONDS).per_s

    return measure


def latency_ms(running: Running) -> float:
    """Return the median latency at one connection."""
    return load(running.url, SMALL, connections=1, seconds=_SECONDS).p50_ms


SCENARIOS = (
    Scenario(
        "small",
        "small prediction, JSON body, 32 connections",
        "1/s",
        TRIVIAL,
        (OURS, DEEPAAS_26, MOSEC, BARE, LITSERVE, BENTOML, RAY),
        throughput(SMALL),
        (Target(25, DEEPAAS_26), Target(2, MOSEC), Target(1, BARE)),
        is_more_better=True,
    ),
    Scenario(
        "query",
        "small prediction, argument in the query, 32 connections",
        "1/s",
        TRIVIAL,
        (OURS, DEEPAAS_26, BARE),
        throughput(SMALL_IN_QUERY),
        (Target(25, DEEPAAS_26), Target(1, BARE)),
        is_more_better=True,
    ),
    Scenario(
        "latency",
        "small prediction, JSON body, 1 connection, median",
        "ms",
        TRIVIAL,
        (OURS, DEEPAAS_26, MOSEC, BARE, LITSERVE, BENTOML, RAY),
        latency_ms,
        (Target(1.3, MOSEC),),
    ),
)
