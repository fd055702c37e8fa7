"""1 to 50 models in one server: startup time and memory."""

import dataclasses

from benchmarks.scaling.series import Points, Series, spent
from benchmarks.servers.running import running
from benchmarks.servers.table import OURS, TRIVIAL

_MODELS = (1, 2, 5, 10, 20, 50)
# Without --model-name, the server serves all installed models.
_ALL_MODELS = dataclasses.replace(
    OURS, command=tuple(word for word in OURS.command if word not in ("--model-name", "{model}"))
)


def measure() -> list[Series]:
    """Measure servers with an increasing number of models."""
    start: Points = {}
    used: Points = {}
    memory: Points = {}
    for count in _MODELS:
        with running(_ALL_MODELS, dataclasses.replace(TRIVIAL, copies=count)) as server:
            start[count], memory[count] = server.start_s, server.idle_mib
            used[count] = sum(spent(server))
    times = {"until the first response": start, "CPU time of all processes": used}
    return [
        Series("Start with many models", "models", "s", times),
        Series("Idle memory (PSS)", "models", "MiB", {"all processes": memory}),
    ]
