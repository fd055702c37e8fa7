"""1 to 50 models in one server: its start and its memory."""

import dataclasses

from benchmarks.growth.curve import Curve, Points, spent
from benchmarks.systems.running import running
from benchmarks.systems.table import OURS, TRIVIAL

_MODELS = (1, 2, 5, 10, 20, 50)
# Every installed model is served when none is named.
_ALL_MODELS = dataclasses.replace(
    OURS, command=tuple(word for word in OURS.command if word not in ("--model-name", "{model}"))
)


def curves() -> list[Curve]:
    """Measure servers of more and more models."""
    start: Points = {}
    used: Points = {}
    memory: Points = {}
    for count in _MODELS:
        with running(_ALL_MODELS, dataclasses.replace(TRIVIAL, copies=count)) as server:
            start[count], memory[count] = server.start_s, server.idle_mib
            used[count] = sum(spent(server))
    times = {"to the first answer": start, "processor time of all processes": used}
    return [
        Curve("Start with many models", "models", "s", times),
        Curve("Idle memory (PSS)", "models", "MiB", {"all processes": memory}),
    ]
