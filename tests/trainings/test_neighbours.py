"""Trainings of dead or unreachable machines, as seen by another server with the same database."""

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from deepaas.trainings.record import TrainingRecord, TrainingState
from deepaas.trainings.recovery import HeartbeatTracker
from deepaas.trainings.store import TrainingStore
from support.ray_cluster import Cluster
from support.server import CALL_S, Gate, Server, serving, wait_until
from support.trainings import GONE, STEPS, begin, ended, kill, look, path_of, reaches, trainings_below

pytestmark = pytest.mark.slow
LOST_AFTER_S = 10


@pytest.mark.parametrize(
    ("polls", "expired"),
    [
        ([{"a": 0}] * 3, set()),
        ([{"a": 0}] * 4, {"a"}),
        ([{"a": 0}] * 2 + [{"a": 1}] * 3, set()),
        ([{"a": 0}] * 3 + [{"a": 1}], set()),
        ([{"a": 1}] * 3 + [{"a": 0}], set()),
        ([{"a": 0}] * 3 + [{"a": 1}] * 4, {"a"}),
        ([{"a": number, "b": 0} for number in range(4)], {"b"}),
        ([{"a": 0}] * 3 + [{}] + [{"a": 0}] * 3, set()),
        ([{}] * 5, set()),
    ],
)
def test_looks(polls: list[Mapping[str, int]], expired: set[str]) -> None:
    """A heartbeat expires if it has not changed in more than two polls; a missing one restarts the count."""
    tracker = HeartbeatTracker(2)
    assert [tracker.update(heartbeats) for heartbeats in polls][-1] == expired


Serve = Callable[..., contextlib.AbstractContextManager[Server]]


@pytest.fixture
def serve(tmp_path: Path, database: str) -> Serve:
    """Return a function that starts a server on a host of that name, with a shared PostgreSQL database."""

    @contextlib.contextmanager
    def serve(host: str, *flags: str) -> Iterator[Server]:
        folder = tmp_path / host
        name_host(folder, host)
        flags = (
            "--database-url",
            database,
            "--train-heartbeat-timeout",
            str(LOST_AFTER_S),
            "--cancel-grace",
            "1",
            *flags,
        )
        with serving(folder, *flags, models=STEPS) as server:
            yield server

    return serve


def name_host(folder: Path, host: str) -> None:
    """Set the host name that processes of servers in the folder see."""
    path = folder / "installed" / "sitecustomize.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"import socket\nsocket.gethostname = lambda: {host!r}\n")


@pytest.fixture
def store(database: str) -> Iterator[TrainingStore]:
    with TrainingStore(database) as store:
        yield store


def test_lost(serve: Serve, store: TrainingStore) -> None:
    """Trainings with an expired heartbeat are lost, or cancelled if that was requested; others go on."""
    heard = dataclasses.replace(GONE, uuid="a" * 32)
    cancelled = dataclasses.replace(GONE, uuid="c" * 32, state=TrainingState.CANCELLING)
    queued = dataclasses.replace(GONE, uuid="b" * 32, state=TrainingState.QUEUED, pid=None, pid_started=None)
    for training in (GONE, heard, cancelled, queued):
        store.add(training)
    with serve("here") as server, server.client() as client, beating(store, heard):
        lost = reaches(client, {"uuid": GONE.uuid}, "lost")
        assert reaches(client, {"uuid": cancelled.uuid}, "cancelled")["status"] == "cancelled"
        assert look(client, {"uuid": heard.uuid})["state"] == "running"
        assert look(client, {"uuid": queued.uuid})["state"] == "queued"
        assert client.delete(path_of({"uuid": queued.uuid})).json()["state"] == "cancelled"
        assert client.delete(path_of(lost)).json()["state"] == "lost"
    message = "lost: no heartbeat from the host gone for 10 s."
    assert (lost["status"], lost["message"]) == ("error", message)


def test_heard(serve: Serve, store: TrainingStore, gate: Gate) -> None:
    """A live server sends heartbeats for its queued training; a running training sends its own."""
    with serve("here") as server, server.client() as client:
        running = begin(client, ["wait", gate.port])
        gate.wait()
        queued = begin(client, ["return", 1])
        assert is_heard(store, queued)
        kill(server)
        assert is_heard(store, running)
        for process in trainings_below(running["uuid"]):
            process.kill()


def test_back(serve: Serve, gate: Gate) -> None:
    """A machine that is back runs its queued training; its running one was marked lost."""
    with serve("here") as here, here.client() as client:
        with serve("there") as there, there.client() as other:
            running = begin(other, ["wait", gate.port])
            gate.wait()
            queued = begin(other, ["print", "late"], ["return", 1])
            kill(there)
            for process in trainings_below(running["uuid"]):
                process.kill()
        assert reaches(client, running, "lost")["message"].endswith("from the host there for 10 s.")
        assert look(client, queued)["state"] == "queued"
        with serve("there"):
            assert ended(client, queued)["result"]["output"][-1] == 1


def test_lost_while_it_runs(serve: Serve, gate: Gate) -> None:
    """A machine that was unreachable stops a training that was marked lost, and goes on with its queue."""
    with serve("here") as here, here.client() as client, serve("there") as there, there.client() as other:
        running = begin(other, ["wait", gate.port])
        gate.wait()
        queued = begin(other, ["return", 1])
        processes = [psutil.Process(there.process.pid), *trainings_below(running["uuid"])]
        for process in processes:
            process.suspend()
        reaches(client, running, "lost")
        for process in processes:
            process.resume()
        assert ended(client, queued)["state"] == "done"
        assert trainings_below(running["uuid"]) == []
        assert look(other, running)["state"] == "lost"


def test_new_name_of_the_host(tmp_path: Path, gate: Gate) -> None:
    """With a SQLite file, a container with another host name runs the queued training, and can cancel it."""
    name_host(tmp_path, "first")
    with serving(tmp_path, models=STEPS) as server, server.client() as client:
        running = begin(client, ["wait", gate.port])
        gate.wait()
        queued = begin(client, ["wait", gate.port])
        kill(server)
        for process in trainings_below(running["uuid"]):
            process.kill()
    name_host(tmp_path, "second")
    with serving(tmp_path, "--cancel-grace", "1", models=STEPS) as server, server.client() as client:
        gate.wait()
        assert look(client, running)["state"] == "lost"
        assert client.get(path_of(queued, "/provenance")).json()["host"] == "second"
        assert client.delete(path_of(queued)).json()["state"] == "cancelled"
        assert trainings_below(queued["uuid"]) == []


def test_followed_on_ray(serve: Serve, ray_cluster: Cluster, gate: Gate) -> None:
    """On a Ray cluster, a server of another machine takes over a training whose server was killed."""
    with serve("here", *ray_cluster.flags) as here, here.client() as client:
        with serve("there", *ray_cluster.flags) as there, there.client() as other:
            running = begin(other, ["print", "hello"], ["wait", gate.port], ["return", "end"])
            gate.wait()
            kill(there)
        here.output.wait_for("taken over from another server")
        gate.open()
        assert ended(client, running)["result"]["output"][-1] == "end"
        assert "hello" in client.get(path_of(running, "/log")).text


def is_heard(store: TrainingStore, record: Mapping[str, str]) -> bool:
    """Wait until a training's heartbeat has changed twice."""
    for _ in range(2):
        before = store.read_heartbeats([record["uuid"]])
        wait_until(lambda before=before: store.read_heartbeats([record["uuid"]]) != before, CALL_S)
    return True


@contextlib.contextmanager
def beating(store: TrainingStore, training: TrainingRecord) -> Iterator[None]:
    """Send heartbeats for a training while the context lasts."""
    ends = threading.Event()

    def beat() -> None:
        while not ends.wait(1):
            store.record_heartbeats([training.uuid])

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()
