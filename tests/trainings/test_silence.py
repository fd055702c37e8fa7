"""Trainings of machines that have gone for good, as another server of the same store sees them."""

import contextlib
import dataclasses
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from following import GONE, STEPS, begin, comes, ended, kill, look, path_of, reaches, trainings_below

from deepaas.trainings.silence import Silence
from deepaas.trainings.store import Store
from deepaas.trainings.training import State, Training
from serving import CALL_S, Gate, Server, serving, until

LOST_AFTER_S = 10


@pytest.mark.parametrize(
    ("looks", "silent"),
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
def test_looks(looks: list[Mapping[str, int]], silent: set[str]) -> None:
    """Silent is what has not changed in so many looks, however it changes; what was away begins anew."""
    silence = Silence(2)
    assert [silence.among(heartbeats) for heartbeats in looks][-1] == silent


@pytest.fixture
def server(tmp_path: Path, database: str) -> Iterator[Server]:
    """Return a server of a PostgreSQL store that gives other machines ten seconds."""
    flags = ("--store", database, "--state-dir", str(tmp_path / "state"), "--lost-after", str(LOST_AFTER_S))
    with serving(tmp_path, *flags, models=STEPS) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """Return its client."""
    with server.client() as client:
        yield client


@pytest.fixture
def store(server: Server, database: str) -> Iterator[Store]:
    """Return its store."""
    with Store(database) as store:
        yield store


def test_lost(client: httpx.Client, store: Store) -> None:
    """What a silent machine trained is lost, or cancelled if it was being; what is heard from goes on."""
    heard = dataclasses.replace(GONE, uuid="a" * 32)
    cancelled = dataclasses.replace(GONE, uuid="c" * 32, state=State.CANCELLING)
    for training in (GONE, heard, cancelled):
        store.add(training)
    with beating(store, heard):
        lost = reaches(client, {"uuid": GONE.uuid}, "lost")
        assert reaches(client, {"uuid": cancelled.uuid}, "cancelled")["status"] == "cancelled"
        assert look(client, {"uuid": heard.uuid})["state"] == "running"
    assert (lost["status"], lost["message"]) == (
        "error",
        "lost: nothing was heard of it from the host gone for 10 s.",
    )
    assert client.delete(path_of(lost)).json()["state"] == "lost"


def test_queued(server: Server, client: httpx.Client, store: Store, gate: Gate) -> None:
    """A queued training of a silent machine is run where its job can be read, and waits where it cannot."""
    running = begin(client, ["wait", gate.port])
    gate.wait()
    model = begin(client, ["return", "of a silent machine"])
    of_ours = store.get(model["uuid"])
    assert of_ours is not None
    here, elsewhere = (
        dataclasses.replace(of_ours, uuid=uuid * 32, server=GONE.server, host=GONE.host) for uuid in "ab"
    )
    folder = server.state_dir / "steps"
    shutil.copytree(folder / of_ours.uuid, folder / here.uuid)
    for training in (here, elsewhere):
        store.add(training)
    comes(client, {"uuid": here.uuid}, lambda _: _of(store, here).server == of_ours.server)
    gate.open()
    assert ended(client, {"uuid": here.uuid})["result"]["output"] == ["of a silent machine"]
    assert ended(client, running)["state"] == "done"
    assert look(client, {"uuid": elsewhere.uuid})["state"] == "queued"


def test_heard(server: Server, client: httpx.Client, store: Store, gate: Gate) -> None:
    """A queued training is heard from while its server lives, a running one without its server, too."""
    running = begin(client, ["wait", gate.port])
    gate.wait()
    queued = begin(client, ["return", 1])
    assert is_heard(store, queued)
    kill(server)
    assert is_heard(store, running)
    assert not trainings_below(queued["uuid"])
    for process in trainings_below(running["uuid"]):
        process.kill()


def is_heard(store: Store, record: Mapping[str, str]) -> bool:
    """Say, once its heartbeat has changed twice, that a training is heard from."""
    for _ in range(2):
        before = store.heartbeats([record["uuid"]])
        until(lambda before=before: store.heartbeats([record["uuid"]]) != before, CALL_S)
    return True


@contextlib.contextmanager
def beating(store: Store, training: Training) -> Iterator[None]:
    """Let a training be heard from meanwhile."""
    ends = threading.Event()

    def beat() -> None:
        while not ends.wait(1):
            store.beat([training.uuid])

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def _of(store: Store, training: Training) -> Training:
    found = store.get(training.uuid)
    assert found is not None
    return found
