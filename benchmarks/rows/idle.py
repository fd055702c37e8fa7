"""What a server costs before it does anything: its start and its memory."""

from benchmarks.rows.row import Row, Target
from benchmarks.systems.running import Running
from benchmarks.systems.table import BARE, BENTOML, DEEPAAS_26, LITSERVE, MOSEC, OURS, RAY, TRIVIAL

_EVERYBODY = (OURS, DEEPAAS_26, MOSEC, BARE, LITSERVE, BENTOML, RAY)


def start_s(running: Running) -> float:
    """Return the seconds from the command to the first answer."""
    return running.start_s


def idle_mib(running: Running) -> float:
    """Return the memory of server and worker after the first answer."""
    return running.idle_mib


ROWS = (
    Row(
        "start",
        "from command to first answer",
        "s",
        TRIVIAL,
        _EVERYBODY,
        start_s,
        (Target(1), Target(1, DEEPAAS_26)),
    ),
    Row(
        "memory",
        "idle memory of all processes (PSS)",
        "MiB",
        TRIVIAL,
        _EVERYBODY,
        idle_mib,
        (Target(1, DEEPAAS_26),),
    ),
)
