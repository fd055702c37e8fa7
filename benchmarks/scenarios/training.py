"""Trainings that do nothing: the overhead of starting one and detecting its end."""

import json
import subprocess
import time
import urllib.request

from benchmarks.scenarios.scenario import Scenario
from benchmarks.servers.running import Running
from benchmarks.servers.table import DEEPAAS_26, OURS, TRIVIAL

_LOOK_S = 0.002
_LONGEST_S = 60
_TIMES = 3


def fastest_ms(running: Running) -> float:
    """Return the shortest time from the request to state done."""
    return min(_once_ms(f"{running.server_url}/v2/models/{TRIVIAL.model}/train/") for _ in range(_TIMES))


def imports_ms(_: Running) -> float:
    """Return the time that a fresh interpreter needs for the imports of a training process."""
    code = (
        "import time; t = time.perf_counter(); import deepaas.trainings.training_run; "
        "print(time.perf_counter() - t)"
    )
    done = subprocess.run([OURS.python(), "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout) * 1000


def _once_ms(url: str) -> float:
    began = time.perf_counter()
    record = _json("POST", url)
    while record["status"] == "running" and time.perf_counter() < began + _LONGEST_S:
        time.sleep(_LOOK_S)
        record = _json("GET", f"{url}{record['uuid']}")
    if record["status"] != "done":
        raise RuntimeError(f"the training failed: {record}")
    return (time.perf_counter() - began) * 1000


def _json(method: str, url: str) -> dict[str, str]:
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=_LONGEST_S) as response:
        return json.loads(response.read())  # type: ignore[no-any-return]  # the record of a training


SCENARIOS = (
    Scenario(
        "training",
        "training that does nothing, POST to done",
        "ms",
        TRIVIAL,
        (OURS, DEEPAAS_26),
        fastest_ms,
    ),
    Scenario(
        "training-imports",
        "of which are imports of its fresh process",
        "ms",
        TRIVIAL,
        (OURS,),
        imports_ms,
    ),
)
