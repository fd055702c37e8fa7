"""Two servers on one PostgreSQL database: each sees, and can cancel, the other's trainings."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deepaas.trainings.store import TrainingStore
from support.server import Gate, Server, serving
from support.trainings import GONE, STEPS, begin, comes, ended, kill, look, path_of, trainings_below

pytestmark = pytest.mark.slow


@pytest.fixture
def both(tmp_path: Path, database: str) -> Iterator[tuple[Server, Server]]:
    """Return two servers with a shared database and state folder, like two machines with a shared disk."""
    with contextlib.ExitStack() as stack:

        def start(name: str) -> Server:
            folder = tmp_path / name
            folder.mkdir()
            flags = ("--database-url", database, "--state-dir", str(tmp_path / "shared"))
            return stack.enter_context(serving(folder, *flags, models=STEPS))

        yield start("one"), start("two")


@pytest.fixture
def clients(both: tuple[Server, Server]) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Return a client of each server."""
    with both[0].client() as one, both[1].client() as two:
        yield one, two


def test_seen(clients: tuple[httpx.Client, httpx.Client], gate: Gate) -> None:
    """Each server lists the other's trainings, running and finished, with log and result."""
    one, two = clients
    running = begin(one, ["print", "hello"], ["wait", gate.port], ["return", "end"])
    gate.wait()
    own = begin(two, ["return", 2])
    for client in clients:
        uuids = {record["uuid"] for record in client.get("/v2/models/steps/train/").json()}
        assert uuids == {running["uuid"], own["uuid"]}
    assert look(two, running)["state"] == "running"
    gate.open()
    assert ended(two, running)["result"]["output"][-1] == "end"
    assert "hello" in two.get(path_of(running, "/log")).text
    assert ended(one, own)["result"]["output"] == [2]


def test_lanes_are_own(clients: tuple[httpx.Client, httpx.Client], gate: Gate) -> None:
    """Each server has its own queue: a training on one does not block the other."""
    one, two = clients
    first = begin(one, ["wait", gate.port])
    gate.wait()
    waiting = begin(one, ["return", 1])
    assert ended(two, begin(two, ["return", 2]))["state"] == "done"
    assert look(two, waiting)["queue_position"] == 1
    gate.open()
    assert [ended(two, record)["state"] for record in (first, waiting)] == ["done", "done"]


def test_cancel(clients: tuple[httpx.Client, httpx.Client], gate: Gate) -> None:
    """Each server can cancel the other's running and queued trainings."""
    one, two = clients
    running = begin(one, ["wait", gate.port])
    gate.wait()
    queued = begin(one, ["return", 1])
    for record in (queued, running):
        response = two.delete(path_of(record))
        assert (response.status_code, response.json()["state"]) == (200, "cancelled")
    assert [look(one, record)["state"] for record in (running, queued)] == ["cancelled", "cancelled"]
    assert trainings_below(running["uuid"]) == []
    assert ended(one, begin(one, ["return", 2]))["state"] == "done"


def test_cancel_of_a_host_that_is_gone(clients: tuple[httpx.Client, httpx.Client], database: str) -> None:
    """A dead host's training stays `cancelling` when cancelled; purging deletes it."""
    with TrainingStore(database) as store:
        store.add(GONE)
    path = f"/v2/models/steps/train/{GONE.uuid}"
    response = clients[0].delete(path)
    assert (response.status_code, response.json()["state"]) == (200, "cancelling")
    assert clients[1].delete(path, params={"purge": "true"}).status_code == 200
    assert clients[0].get(path).status_code == 404


def test_purge(clients: tuple[httpx.Client, httpx.Client], gate: Gate) -> None:
    one, two = clients
    running = begin(one, ["wait", gate.port])
    gate.wait()
    assert two.delete(path_of(running, "?purge=true")).status_code == 200
    assert one.get(path_of(running)).status_code == 404
    assert ended(one, begin(one, ["return", 2]))["state"] == "done"


def test_taken_over(
    both: tuple[Server, Server], clients: tuple[httpx.Client, httpx.Client], gate: Gate
) -> None:
    """When one server is killed, the other takes over its running training and runs its queued one."""
    one, two = clients
    running = begin(one, ["wait", gate.port], ["return", "end"])
    gate.wait()
    queued = begin(one, ["return", "queued"])
    kill(both[0])
    assert look(two, running)["state"] == "running"
    gate.open()
    assert ended(two, running)["result"]["output"][-1] == "end"
    comes(two, queued, lambda now: now["state"] == "done")


def test_vanished(
    both: tuple[Server, Server], clients: tuple[httpx.Client, httpx.Client], gate: Gate
) -> None:
    """When a server and its training are killed, the other server marks the training lost."""
    one, two = clients
    record = begin(one, ["wait", gate.port])
    gate.wait()
    kill(both[0])
    for process in trainings_below(record["uuid"]):
        process.kill()
    assert comes(two, record, lambda now: now["state"] == "lost")["message"].startswith("lost: ")
