"""Startup time and idle memory of each server."""

from benchmarks.scenarios.scenario import Scenario, Target
from benchmarks.servers.running import Running
from benchmarks.servers.table import BARE, BENTOML, DEEPAAS_26, LITSERVE, MOSEC, OURS, RAY, TRIVIAL

_EVERYBODY = (OURS, DEEPAAS_26, MOSEC, BARE, LITSERVE, BENTOML, RAY)


def start_s(running: Running) -> float:
    """Return the seconds from the command to the first response."""
    return running.start_s


def idle_mib(running: Running) -> float:
    """Return the memory of all processes after the first response."""
    return running.idle_mib


SCENARIOS = (
    Scenario(
        "start",
        "from command to first answer",
        "s",
        TRIVIAL,
        _EVERYBODY,
        start_s,
        (Target(1), Target(1, DEEPAAS_26)),
    ),
    Scenario(
        "memory",
        "idle memory of all processes (PSS)",
        "MiB",
        TRIVIAL,
        _EVERYBODY,
        idle_mib,
        (Target(1, DEEPAAS_26),),
    ),
)
