"""1 to 10,000 trainings in the store: time to list them, and startup time."""

import statistics
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from benchmarks.scaling.series import Points, Series
from benchmarks.servers.running import Running, running
from benchmarks.servers.table import OURS, TRIVIAL
from deepaas.trainings.record import TrainingRecord, TrainingState
from deepaas.trainings.store import TrainingStore, sqlite_url

T = TypeVar("T")

_TRAININGS = (1, 10, 100, 1000, 10_000)
_TIMES = 5
_LONGEST_S = 60


def measure() -> list[Series]:
    """Measure servers with an increasing number of finished trainings."""
    listing: Points = {}
    reading: Points = {}
    start: Points = {}
    with tempfile.TemporaryDirectory() as name:
        state, known = Path(name), 0
        for count in _TRAININGS:
            with TrainingStore(sqlite_url(state)) as store:
                _fill(store, count - known)
                reading[count] = _median_ms(store.list_for_model, TRIVIAL.model)
            known = count
            with running(OURS, TRIVIAL, state=state) as server:
                start[count] = server.start_s
                listing[count] = _median_ms(_list, server)
    times = {"list over HTTP": listing, "of which reading the database": reading}
    return [
        Series("Listing trainings", "stored trainings", "ms", times),
        Series("Start time", "stored trainings", "s", {"until the first response": start}, is_drawn=False),
    ]


def _fill(store: TrainingStore, count: int) -> None:
    """Add finished trainings with arguments, a result and metrics."""
    for _ in range(count):
        now = time.time()
        store.add(
            TrainingRecord(
                uuid=uuid.uuid4().hex,
                model=TRIVIAL.model,
                created=now,
                started=now,
                finished=now,
                arguments={"epochs": 10, "rate": 0.01, "data": "a/place/of/data"},
                state=TrainingState.DONE,
                output={"accuracy": 0.98},
                progress=1.0,
                metrics={"step": 10, "loss": 0.2},
                exit="0",
            )
        )


def _list(server: Running) -> None:
    url = f"{server.server_url}/v2/models/{TRIVIAL.model}/train/"
    with urllib.request.urlopen(url, timeout=_LONGEST_S) as response:
        response.read()


def _median_ms(work: Callable[[T], object], argument: T) -> float:
    found = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        work(argument)
        found.append(1000 * (time.perf_counter() - began))
    return statistics.median(found)
