"""Trainings of dead or unreachable machines, as seen by another server with the same database."""

import contextlib
import dataclasses
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from deepaas.trainings.record import TrainingRecord, TrainingState
from deepaas.trainings.recovery import OutageGuard
from deepaas.trainings.store import TrainingStore
from support.ray_cluster import Cluster
from support.server import CALL_S, Gate, Server, serving, wait_until
from support.trainings import GONE, STEPS, begin, ended, kill, look, path_of, reaches, trainings_below

pytestmark = pytest.mark.slow
LOST_AFTER_S = 10


@pytest.mark.parametrize(
    ("polls_s", "expiring_s"),
    [
        ([100, 102, 104, 106, 108, 110, 112], [110, 112]),
        ([100, 105, 110], [110]),
        ([100, 105, 110, 116, 121, 126], [110, 126]),
        ([100, 105, 110, 109, 114, 119], [110, 119]),
    ],
)
def test_outage_guard(polls_s: list[float], expiring_s: list[float]) -> None:
    """Leases may expire after one lease of polls, counted again after a gap or a clock that is set back."""
    guard = OutageGuard(10)
    assert [now_s for now_s in polls_s if guard.may_expire(now_s)] == expiring_s


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
    with TrainingStore(database, LOST_AFTER_S) as store:
        yield store


def test_lost(serve: Serve, store: TrainingStore) -> None:
    """Trainings with an expired lease are lost, or cancelled if that was requested; others go on."""
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
    """A live server renews the lease of its queued training; a running training renews its own."""
    with serve("here") as server, server.client() as client:
        running = begin(client, ["wait", gate.port])
        gate.wait()
        queued = begin(client, ["return", 1])
        assert is_renewed(store, queued)
        kill(server)
        assert is_renewed(store, running)
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


def test_outage_of_all_servers(serve: Serve, store: TrainingStore, gate: Gate) -> None:
    """If both machines were suspended, the first to resume leaves the other's training alone."""
    with serve("here") as here:
        store.add(GONE)
        expire(store, GONE.uuid)
        here.output.wait_for(f"{GONE.uuid} of steps: lost")  # from now on, this server lets leases expire
        with serve("there") as there, there.client() as other:
            running = begin(other, ["wait", gate.port], ["return", "end"])
            gate.wait()
            remote = [psutil.Process(there.process.pid), *trainings_below(running["uuid"])]
            for process in (here.process, *remote):
                process.send_signal(signal.SIGSTOP)
            wait_until(lambda: running["uuid"] in store.list_expired()[1], CALL_S)
            here.process.send_signal(signal.SIGCONT)
            for uuid in ("1" * 32, "2" * 32):  # another poll takes over the second one
                store.add(dataclasses.replace(GONE, uuid=uuid, server="here 1 1/1", host="here"))
                here.output.wait_for(f"{uuid} of steps: taken over")
            for process in remote:
                process.send_signal(signal.SIGCONT)
            gate.open()
            assert ended(other, running)["result"]["output"][-1] == "end"


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


def is_renewed(store: TrainingStore, record: Mapping[str, str]) -> bool:
    """Let a training's lease expire, and wait until it is renewed."""
    expire(store, record["uuid"])
    return bool(wait_until(lambda: record["uuid"] not in store.list_expired()[1], CALL_S))


def expire(store: TrainingStore, uuid: str) -> None:
    """Let a training's lease expire."""
    store.update(uuid, lease_until=0)


@contextlib.contextmanager
def beating(store: TrainingStore, training: TrainingRecord) -> Iterator[None]:
    """Renew the lease of a training while the context lasts."""
    ends = threading.Event()

    def beat() -> None:
        while not ends.wait(1):
            store.renew_leases([training.uuid])

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()
