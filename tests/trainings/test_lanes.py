"""Queue of trainings, and shared or exclusive use of the machine."""

import contextlib
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from support.server import Gate, Server, predict, predicted, wait_until
from support.trainings import STEPS, VERSIONED, begin, comes, ended, kill, look, path_of, reaches

pytestmark = pytest.mark.slow
ROUNDS = 9
QUIET_PERCENT = 25
CALLS = 60


def position(client: httpx.Client, record: dict[str, object]) -> object:
    """Return a training's current position in the queue."""
    return look(client, record).get("queue_position")


def test_calls_behind_a_long_one(start: Callable[..., Server], gate: Gate) -> None:
    """An exclusive training does not wait for queued calls: they are refused."""
    server = start("--train-mode", "exclusive", models={"told": "models.faults.scripted"})
    with server.client() as client, ThreadPoolExecutor(6) as threads:
        for number in range(50):
            predicted(client, "told", json={"number": number})
        long_one = threads.submit(predict, client, "told", json={"spin_s": 1.5})
        behind = [threads.submit(predict, client, "told", json={"number": number}) for number in range(5)]
        training = client.post("/v2/models/told/train/", json={"port": gate.port}).json()
        gate.wait()
        found = {one.result().status_code for one in [long_one, *behind]}
        assert found <= {200, 503}
        assert client.get(f"/v2/models/told/train/{training['uuid']}").json()["status"] == "running"
        gate.open()


def test_queue(start: Callable[..., Server], gate: Gate) -> None:
    """One training runs; the others are queued with their position in the record, and run in order."""
    with start(models=STEPS).client() as client:
        first = begin(client, ["wait", gate.port], ["pid"])
        gate.wait()
        others = [begin(client, ["return", number]) for number in range(3)]
        assert [other["queue_position"] for other in others] == [1, 2, 3]
        assert [position(client, other) for other in others] == [1, 2, 3]
        listed = {one["uuid"]: one for one in client.get("/v2/models/steps/train/").json()}
        assert [listed[other["uuid"]]["queue_position"] for other in others] == [1, 2, 3]
        assert {look(client, other)["state"] for other in others} == {"queued"}
        client.delete(path_of(others[0]))
        assert [position(client, other) for other in others] == [None, 1, 2]
        gate.open()
        assert ended(client, first)["state"] == "done"
        ends = [ended(client, other) for other in others]
        assert [end["state"] for end in ends] == ["cancelled", "done", "done"]
        assert ends[1]["result"]["finish_date"] < ends[2]["result"]["finish_date"]
        assert "queue_position" not in ends[1]


def test_max_trainings(start: Callable[..., Server], gate: Gate) -> None:
    """With --max-trainings 3, three trainings run at once and the fourth is queued."""
    with start("--max-trainings", "3", models=STEPS).client() as client:
        records = [begin(client, ["wait", gate.port]) for _ in range(4)]
        gate.wait(3)
        assert position(client, records[3]) == 1
        assert [look(client, record)["state"] for record in records] == ["running"] * 3 + ["queued"]
        gate.open()
        gate.wait()
        gate.open()
        assert {ended(client, record)["state"] for record in records} == {"done"}


def test_own_group_and_folder(http: httpx.Client, trainer: Server, gate: Gate) -> None:
    """A training leads its own process group, and its folder is STATE/MODEL/UUID."""
    record = begin(http, ["print", "x"], ["wait", gate.port], ["pid"])
    gate.wait()
    folder = trainer.state_dir / "steps" / record["uuid"]
    assert (folder / "artifacts").is_dir()
    pid = process_of(record).pid
    assert (os.getpgid(pid), os.getsid(pid)) == (pid, pid)
    gate.open()
    assert ended(http, record)["result"]["output"][2] == pid
    wait_until(lambda: not psutil.pid_exists(pid))


def wait_for_quiet() -> None:
    """Wait up to five seconds until the machine is nearly idle."""
    with contextlib.suppress(AssertionError):
        wait_until(lambda: psutil.cpu_percent(interval=0.1) < QUIET_PERCENT, 5)


def latencies_s(client: httpx.Client) -> list[float]:
    """Return the latencies of some predictions."""
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        assert predict(client, "steps").status_code == 200
        taken.append(time.perf_counter() - began)
    return taken


@pytest.mark.alone
def test_latency(start: Callable[..., Server], gate: Gate) -> None:
    """While a training keeps a core busy, the median latency of predictions at most doubles."""
    with start(models=STEPS).client() as client:
        record = begin(client, ["wait", gate.port], ["burn", 600])
        gate.wait()
        burning = process_of(record)
        gate.open()
        ratios = []
        for _ in range(ROUNDS):
            # Measure both in quick succession, since other load on the machine varies.
            burning.suspend()
            wait_for_quiet()
            alone_s = statistics.median(latencies_s(client))
            burning.resume()
            used_s = burning.cpu_times().user
            wait_until(lambda: burning.cpu_times().user > used_s)  # noqa: B023 - used at once
            ratios.append(statistics.median(latencies_s(client)) / alone_s)
        assert look(client, record)["state"] == "running"
        assert statistics.median(ratios) <= 2, ratios


def process_of(record: dict[str, object]) -> psutil.Process:
    """Return a training's process, found by its command line."""
    return next(
        one for one in psutil.process_iter(["cmdline"]) if record["uuid"] in (one.info["cmdline"] or ())
    )


def refused(client: httpx.Client, model: str) -> bool:
    """Return whether predictions are refused with 503 and Retry-After."""
    response = predict(client, model)
    if response.status_code == 200:
        return False
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "training" in response.json()["message"]
    return True


def test_exclusive(start: Callable[..., Server], gate: Gate) -> None:
    """In exclusive mode, workers are stopped while a training runs, and restarted afterwards."""
    server = start("--train-mode", "exclusive", "--workers", "2", models=VERSIONED)
    with server.client() as client:
        assert predicted(client, "versioned")["version"] == "none"
        workers = {process.pid for process in server.workers()}
        record = begin(client, model="versioned", version="one", port=gate.port)
        gate.wait()
        assert refused(client, "versioned")
        assert not workers & {process.pid for process in server.workers()}
        gate.open()
        assert ended(client, record, "versioned")["state"] == "done"
        wait_until(lambda: predict(client, "versioned").status_code == 200)
        assert predicted(client, "versioned")["version"] == "one"
        wait_until(lambda: len(server.workers()) == 2)


@pytest.mark.parametrize("end", ["error", "cancelled"])
def test_exclusive_ends_badly(start: Callable[..., Server], gate: Gate, end: str) -> None:
    """Workers also restart after a training that failed or was cancelled."""
    with start("--train-mode", "exclusive", models=STEPS).client() as client:
        record = begin(client, ["wait", gate.port], ["raise", "x"])
        gate.wait()
        assert refused(client, "steps")
        if end == "cancelled":
            client.delete(path_of(record))
        gate.open()
        assert ended(client, record)["state"] == end
        wait_until(lambda: predict(client, "steps").status_code == 200)


def test_exclusive_after_restart(start: Callable[..., Server], gate: Gate) -> None:
    """A training taken over still runs exclusively; then exactly the configured workers start."""
    flags = ("--train-mode", "exclusive")
    server = start(*flags, models=STEPS)
    with server.client() as client:
        record = begin(client, ["wait", gate.port])
        gate.wait()
    kill(server)
    again = start(*flags, models=STEPS)
    with again.client() as client:
        assert refused(client, "steps")
        gate.open()
        assert ended(client, record)["status"] in ("done", "error")
        wait_until(lambda: predict(client, "steps").status_code == 200)
        comes(client, record, lambda now: now["state"] == "done")
        assert len(again.workers()) == 1


def test_adopted_counts(start: Callable[..., Server], gate: Gate) -> None:
    """A running training taken over uses one of the --max-trainings slots, so a queued one waits."""
    server = start(models=STEPS)
    with server.client() as client:
        running = begin(client, ["wait", gate.port])
        gate.wait()
        queued = begin(client, ["return", 1])
    kill(server)
    with start(models=STEPS).client() as client:
        later = begin(client, ["return", 2])
        comes(client, later, lambda now: now.get("queue_position") == 2 or now["state"] != "queued")
        states = [look(client, one)["state"] for one in (running, queued, later)]
        assert states == ["running", "queued", "queued"]
        gate.open()
        reaches(client, later, "done")
        assert ended(client, queued)["state"] == "done"
