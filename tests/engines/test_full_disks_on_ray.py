"""Disks without room, on the server and on a node, and trainings that end for that, or before they begin."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from clusters import Cluster, process_of, runs
from serving import AN_HOUR, Gate, Server, killing, predict, predicted, serving, until

MODELS = {"told": "models_faults.told", "steps": "models_training.steps"}
TRAIN = "/v2/models/steps/train/"
ROOM = 1 << 20
MUCH = 3 << 20
ENDS = {"done", "error", "cancelled", "lost"}


@pytest.fixture(scope="module")
def server(ray_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server with a worker and trainings on Ray."""
    with serving(tmp_path_factory.mktemp("ray"), *ray_cluster.flags, models=MODELS) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    """Return a client of that server."""
    with server.client() as client:
        yield client


@contextlib.contextmanager
def without_room(process: psutil.Process) -> Iterator[None]:
    """Let a process write no file that is larger than a mebibyte: the system refuses as a full disk does."""
    soft, hard = process.rlimit(resource.RLIMIT_FSIZE)
    process.rlimit(resource.RLIMIT_FSIZE, (ROOM, hard))
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.rlimit(resource.RLIMIT_FSIZE, (soft, hard))


def actor_of(pid: int) -> psutil.Process:
    """Return the actor that holds a process of ours."""
    actor = psutil.Process(pid).parent()
    assert actor is not None
    return actor


def test_disk_of_a_node(client: httpx.Client) -> None:
    """A call whose files its node has no room for fails with its actor; it is not run with half a file."""
    actor = actor_of(predicted(client, "told", json={})["pid"])
    with without_room(actor):
        refused = predict(client, "told", files={"data": b"x" * MUCH})
    assert refused.status_code == 500, refused.text
    assert "was lost with its Ray actor or node" in refused.json()["message"]
    assert predict(client, "told", files={"data": b"x" * MUCH}).status_code == 200
    until(lambda: not runs(actor))


def test_disk_of_the_server(server: Server, client: httpx.Client) -> None:
    """A result that the server has no room for fails its call, which says so; the next ones are answered."""
    with without_room(psutil.Process(server.process.pid)):
        refused = predict(client, "told", json={"size": MUCH})
    assert refused.status_code == 500, refused.text
    assert "The result could not be brought from its node" in refused.json()["message"]
    assert len(predicted(client, "told", json={"size": MUCH})["content"]) == MUCH


def begin(server: Server, client: httpx.Client, gate: Gate) -> tuple[str, psutil.Process]:
    """Start a training that waits, prints and waits again; return its path and its process.

    The server will have no room for what it prints.
    """
    steps = [["wait", gate.port], ["print", "hello"], ["wait", gate.port]]
    uuid = client.post(TRAIN, json={"steps": steps}).json()["uuid"]
    gate.wait()
    (server.state_dir / "steps" / uuid / "log").symlink_to("/dev/full")
    return TRAIN + uuid, process_of(uuid)


def ended(client: httpx.Client, path: str) -> dict[str, Any]:
    """Return the record of a training as soon as it has ended."""

    def record() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get(path).json()
        return found if found["state"] in ENDS else None

    found: dict[str, Any] = until(record)
    return found


def test_training_that_cannot_be_copied(server: Server, client: httpx.Client, gate: Gate) -> None:
    """A training whose log the server has no room for ends, and so do its process and its actor."""
    path, process = begin(server, client, gate)
    actor = actor_of(process.pid)
    gate.open()
    gate.wait()
    assert "No space left" in ended(client, path)["message"]
    until(lambda: not (runs(process) or runs(actor)))


def test_found_training_that_cannot_be_copied(ray_cluster: Cluster, tmp_path: Path, gate: Gate) -> None:
    """So does one that another server has started."""
    with killing(tmp_path, *ray_cluster.flags, models=MODELS) as server, server.client() as client:
        path, process = begin(server, client, gate)
        actor = actor_of(process.pid)
        until(lambda: client.get(path).json()["state"] == "running")
        server.process.kill()
    with killing(tmp_path, *ray_cluster.flags, models=MODELS) as server, server.client() as client:
        assert client.get(path).json()["state"] == "running"
        gate.open()
        gate.wait()
        assert "No space left" in ended(client, path)["message"]
        until(lambda: not (runs(process) or runs(actor)))


def test_cancelled_before_there_is_room(ray_cluster: Cluster, tmp_path: Path) -> None:
    """A training that waits for room in the cluster is cancelled at once, whatever time it would be given."""
    flags = (*ray_cluster.flags, "--train-gpus", "1", "--cancel-grace", AN_HOUR)
    with serving(tmp_path, *flags, models=MODELS) as server, server.client() as client:
        path = TRAIN + client.post(TRAIN, json={}).json()["uuid"]
        until(lambda: client.get(path).json()["state"] == "starting")
        assert client.delete(path).json()["state"] == "cancelled"
