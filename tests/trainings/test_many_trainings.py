"""Many trainings: listing is fast, and the server's memory does not grow."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from deepaas.trainings.record import TrainingRecord, TrainingState
from deepaas.trainings.store import TrainingStore, sqlite_url
from support.machine import limit_s, processor_s
from support.server import Server, wait_until
from support.trainings import STEPS, begin, ended

pytestmark = pytest.mark.slow
LISTED = 1000
LISTED_MS = 50
LISTINGS = 15
WARM_UP = 40
TRAININGS = 200
GROWTH_MB = 15
LIST = "/v2/models/steps/train/"


def finished(number: int) -> TrainingRecord:
    """Return a record with all fields of a real one."""
    values: dict[str, Any] = {
        "created": 1e9 + number,
        "arguments": {"epochs": 10, "rate": 0.1, "data": ["data", "text/csv", "a.csv"]},
        "started": 1e9 + number + 1,
        "finished": 1e9 + number + 2,
        "output": {"loss": 0.5, "history": [0.5] * 10},
        "metrics": {"loss": 0.5, "accuracy": 0.75},
        "artifacts": [{"path": f"{name}.bin", "size": 1000, "sha256": "0" * 64} for name in "abc"],
        "peak_memory_mb": 100.5,
        "exit": "0",
        "progress": 1.0,
    }
    return TrainingRecord(
        uuid=f"{number:032x}", model="steps", state=TrainingState.DONE, host="h", server="h 1 1.0", **values
    )


def test_list(start: Callable[..., Server], tmp_path: Path) -> None:
    """Listing a thousand finished trainings takes less than 50 ms."""
    (tmp_path / "state").mkdir()
    with TrainingStore(sqlite_url(tmp_path / "state")) as store:
        for number in range(LISTED):
            store.add(finished(number))
    server = start(models=STEPS)
    with server.client() as client:
        taken_ms = []
        before_s = cpu_s(server)
        for _ in range(LISTINGS):
            began = time.perf_counter()
            response = client.get(LIST)
            taken_ms.append((time.perf_counter() - began) * 1000)
            assert len(response.json()) == LISTED
    # On a busy machine, CPU time is more reliable than wall-clock time.
    worked_ms = (cpu_s(server) - before_s) / LISTINGS * 1000
    assert min(worked_ms, *taken_ms) < 1000 * processor_s(LISTED_MS / 1000), (worked_ms, taken_ms)


def cpu_s(server: Server) -> float:
    """Return the CPU time of the server's own process."""
    times = psutil.Process(server.process.pid).cpu_times()
    return float(times.user + times.system)


def rss_mb(server: Server) -> float:
    """Return the resident memory of the server's own process."""
    return float(psutil.Process(server.process.pid).memory_info().rss) / (1 << 20)


def test_memory(start: Callable[..., Server]) -> None:
    """After two hundred trainings, memory, open files and processes of the server have not grown."""
    server = start("--max-trainings", "2", "--keep-trainings", "10", models=STEPS)
    with server.client() as client:

        def train(count: int) -> None:
            records = [begin(client, ["report", {"step": 1, "total": 1, "loss": 0.5}]) for _ in range(count)]
            last = ended(client, records[-1], timeout_s=limit_s(120))
            assert last["state"] == "done"
            wait_until(
                lambda: all(one["state"] == "done" for one in client.get(LIST).json()), timeout_s=limit_s(120)
            )

        train(WARM_UP)
        before_mb = rss_mb(server)
        descriptors = psutil.Process(server.process.pid).num_fds()
        train(TRAININGS - WARM_UP)
        assert rss_mb(server) - before_mb < GROWTH_MB
        wait_until(lambda: psutil.Process(server.process.pid).num_fds() <= descriptors)
        wait_until(lambda: len(server.workers()) == 1)
