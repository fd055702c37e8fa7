"""Full disks on the server and on a node, and trainings that wait for resources."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from support.ray_cluster import Cluster, process_of, runs
from support.server import AN_HOUR, Gate, Server, predict, predicted, serving, serving_and_killed, wait_until

MODELS = {"told": "models.faults.scripted", "steps": "models.training.steps"}
TRAIN = "/v2/models/steps/train/"
ROOM = 1 << 20
MUCH = 3 << 20
ENDS = {"done", "error", "cancelled", "lost"}


@pytest.fixture(scope="module")
def server(ray_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server with a worker and trainings on Ray."""
    with serving(tmp_path_factory.mktemp("ray"), *ray_cluster.flags, models=MODELS) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@contextlib.contextmanager
def without_room(process: psutil.Process) -> Iterator[None]:
    """Limit the files of a process to 1 MiB; the error is similar to that of a full disk."""
    soft, hard = process.rlimit(resource.RLIMIT_FSIZE)
    process.rlimit(resource.RLIMIT_FSIZE, (ROOM, hard))
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.rlimit(resource.RLIMIT_FSIZE, (soft, hard))


def actor_of(pid: int) -> psutil.Process:
    """Return the actor process that is the parent of `pid`."""
    actor = psutil.Process(pid).parent()
    assert actor is not None
    return actor


def test_full_disk_of_a_node(client: httpx.Client) -> None:
    """The call fails together with its actor; the model does not run with a truncated file."""
    actor = actor_of(predicted(client, "told", json={})["pid"])
    with without_room(actor):
        refused = predict(client, "told", files={"data": b"x" * MUCH})
    assert refused.status_code == 500, refused.text
    assert "was lost with its Ray actor or node" in refused.json()["message"]
    assert predict(client, "told", files={"data": b"x" * MUCH}).status_code == 200
    wait_until(lambda: not runs(actor))


def test_full_disk_of_the_server(server: Server, client: httpx.Client) -> None:
    """The call fails and reports the cause; the next calls succeed."""
    with without_room(psutil.Process(server.process.pid)):
        refused = predict(client, "told", json={"size": MUCH})
    assert refused.status_code == 500, refused.text
    assert "The result could not be copied from its node" in refused.json()["message"]
    assert len(predicted(client, "told", json={"size": MUCH})["content"]) == MUCH


def begin(server: Server, client: httpx.Client, gate: Gate) -> tuple[str, psutil.Process]:
    """Start a training that waits, prints and waits again; return its path and its process.

    The server cannot write the training's log: it is a link to /dev/full.
    """
    steps = [["wait", gate.port], ["print", "hello"], ["wait", gate.port]]
    uuid = client.post(TRAIN, json={"steps": steps}).json()["uuid"]
    gate.wait()
    (server.state_dir / "steps" / uuid / "log").symlink_to("/dev/full")
    return TRAIN + uuid, process_of(uuid)


def ended(client: httpx.Client, path: str) -> dict[str, Any]:
    """Wait until a training has finished; return its record."""

    def record() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get(path).json()
        return found if found["state"] in ENDS else None

    found: dict[str, Any] = wait_until(record)
    return found


def test_training_whose_log_cannot_be_written(server: Server, client: httpx.Client, gate: Gate) -> None:
    """The training fails; its process and its actor exit."""
    path, process = begin(server, client, gate)
    actor = actor_of(process.pid)
    gate.open()
    gate.wait()
    assert "No space left" in ended(client, path)["message"]
    wait_until(lambda: not (runs(process) or runs(actor)))


def test_recovered_training_whose_log_cannot_be_written(
    ray_cluster: Cluster, tmp_path: Path, gate: Gate
) -> None:
    """Same for a training that another server started."""
    with serving_and_killed(tmp_path, *ray_cluster.flags, models=MODELS) as server, server.client() as client:
        path, process = begin(server, client, gate)
        actor = actor_of(process.pid)
        wait_until(lambda: client.get(path).json()["state"] == "running")
        server.process.kill()
    with serving_and_killed(tmp_path, *ray_cluster.flags, models=MODELS) as server, server.client() as client:
        assert client.get(path).json()["state"] == "running"
        gate.open()
        gate.wait()
        assert "No space left" in ended(client, path)["message"]
        wait_until(lambda: not (runs(process) or runs(actor)))


def test_training_without_resources_is_cancelled_at_once(ray_cluster: Cluster, tmp_path: Path) -> None:
    """A training that waits for cluster resources is cancelled immediately, whatever --cancel-grace is."""
    flags = (*ray_cluster.flags, "--train-gpus", "1", "--cancel-grace", AN_HOUR)
    with serving(tmp_path, *flags, models=MODELS) as server, server.client() as client:
        path = TRAIN + client.post(TRAIN, json={}).json()["uuid"]
        wait_until(lambda: client.get(path).json()["state"] == "starting")
        assert client.delete(path).json()["state"] == "cancelled"
