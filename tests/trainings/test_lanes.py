"""Where trainings run: a queue, so many at a time, beside the workers or instead of them."""

import contextlib
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest
from following import STEPS, VERSIONED, begin, comes, ended, kill, look, path_of, reaches

from serving import Gate, Server, predict, predicted, until

pytestmark = pytest.mark.slow
ROUNDS = 9
QUIET_PERCENT = 25
CALLS = 60


def position(client: httpx.Client, record: dict[str, object]) -> object:
    """Return a training's place in the queue, as it is now."""
    return look(client, record).get("queue_position")


def test_calls_behind_a_long_one(start: Callable[..., Server], gate: Gate) -> None:
    """Calls behind a long one are refused when an exclusive training begins; they do not wait for its end."""
    server = start("--train-mode", "exclusive", models={"told": "models_faults.told"})
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
    """One training runs, the others wait in order with their position in the record, and run in order."""
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
    """With --max-trainings 3, three run at once and the fourth waits."""
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
    """A training leads a process group of its own, and its folder is STATE/MODEL/UUID."""
    record = begin(http, ["print", "x"], ["wait", gate.port], ["pid"])
    gate.wait()
    folder = trainer.state_dir / "steps" / record["uuid"]
    assert (folder / "artifacts").is_dir()
    pid = process_of(record).pid
    assert (os.getpgid(pid), os.getsid(pid)) == (pid, pid)
    gate.open()
    assert ended(http, record)["result"]["output"][2] == pid
    until(lambda: not psutil.pid_exists(pid))


def wait_for_quiet() -> None:
    """Wait, within reason, until nobody else uses the machine."""
    with contextlib.suppress(AssertionError):
        until(lambda: psutil.cpu_percent(interval=0.1) < QUIET_PERCENT, 5)


def latencies_s(client: httpx.Client) -> list[float]:
    """Return the times that some predictions took."""
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        assert predict(client, "steps").status_code == 200
        taken.append(time.perf_counter() - began)
    return taken


@pytest.mark.alone
def test_latency(start: Callable[..., Server], gate: Gate) -> None:
    """While a training burns a core, the median latency of predictions is at most twice that without."""
    with start(models=STEPS).client() as client:
        record = begin(client, ["wait", gate.port], ["burn", 600])
        gate.wait()
        burning = process_of(record)
        gate.open()
        ratios = []
        for _ in range(ROUNDS):
            # The two are measured one right after the other, since the machine may have other things to do.
            burning.suspend()
            wait_for_quiet()
            alone_s = statistics.median(latencies_s(client))
            burning.resume()
            used_s = burning.cpu_times().user
            until(lambda: burning.cpu_times().user > used_s)  # noqa: B023 - used at once
            ratios.append(statistics.median(latencies_s(client)) / alone_s)
        assert look(client, record)["state"] == "running"
        assert statistics.median(ratios) <= 2, ratios


def process_of(record: dict[str, object]) -> psutil.Process:
    """Return a training's process, found by what it was started with."""
    return next(
        one for one in psutil.process_iter(["cmdline"]) if record["uuid"] in (one.info["cmdline"] or ())
    )


def refused(client: httpx.Client, model: str) -> bool:
    """Say whether predictions are refused for now, in the way that says when to come again."""
    response = predict(client, model)
    if response.status_code == 200:
        return False
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "training" in response.json()["message"]
    return True


def test_exclusive(start: Callable[..., Server], gate: Gate) -> None:
    """In the exclusive lane workers are gone while a training runs, and then come back warmed."""
    server = start("--train-mode", "exclusive", "--workers", "2", models=VERSIONED)
    with server.client() as client:
        assert predicted(client, "versioned")["version"] == "none"
        workers = {process.pid for process in server.family()[1:]}
        record = begin(client, model="versioned", version="one", port=gate.port)
        gate.wait()
        assert refused(client, "versioned")
        assert not workers & {process.pid for process in server.family()}
        gate.open()
        assert ended(client, record, "versioned")["state"] == "done"
        until(lambda: predict(client, "versioned").status_code == 200)
        assert predicted(client, "versioned")["version"] == "one"
        until(lambda: len(server.family()) == 3)


@pytest.mark.parametrize("end", ["error", "cancelled"])
def test_exclusive_ends_badly(start: Callable[..., Server], gate: Gate, end: str) -> None:
    """Workers also come back after a training that failed or was cancelled."""
    with start("--train-mode", "exclusive", models=STEPS).client() as client:
        record = begin(client, ["wait", gate.port], ["raise", "x"])
        gate.wait()
        assert refused(client, "steps")
        if end == "cancelled":
            client.delete(path_of(record))
        gate.open()
        assert ended(client, record)["state"] == end
        until(lambda: predict(client, "steps").status_code == 200)


def test_exclusive_after_restart(start: Callable[..., Server], gate: Gate) -> None:
    """An adopted training keeps the machine for itself, and then exactly the workers asked for come."""
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
        until(lambda: predict(client, "steps").status_code == 200)
        comes(client, record, lambda now: now["state"] == "done")
        assert len(again.family()) == 2


def test_adopted_counts(start: Callable[..., Server], gate: Gate) -> None:
    """An adopted training that still runs takes one of the --max-trainings places: a queued one waits."""
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
