"""Behaviour that only a cluster has: several actors, killed nodes, trainings that outlive a server."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from support.machine import limit_now_s, limit_s, timeout_s
from support.ray_cluster import NODES, Cluster, process_of, runs
from support.server import (
    AT_ONCE_S,
    CALL_S,
    Gate,
    Server,
    predict,
    predicted,
    serving,
    serving_and_killed,
    wait_until,
)

MODELS = {"waiting": "models.waiting", "trainable": "models.trainable"}
TRAIN = "/v2/models/trainable/train/"
CALLS = 800
CALLS_A_SECOND = 200
TRIES = 3
FOUR = ("--workers", "4", "--predict-timeout", str(timeout_s(15)), "--model-name", "waiting")


@pytest.fixture(scope="module")
def server(ray_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server with four actors."""
    with serving(tmp_path_factory.mktemp("ray"), *ray_cluster.flags, *FOUR, models=MODELS) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def pids(client: httpx.Client) -> set[int]:
    """Return the ids of the processes that serve sixteen calls."""
    with ThreadPoolExecutor(8) as threads:
        return {
            found["pid"] for found in threads.map(lambda _: predicted(client, "waiting", json={}), range(16))
        }


def all_pids(client: httpx.Client) -> set[int]:
    """Wait until each of the four workers has served one of sixteen calls; return their process ids."""
    return set(wait_until(lambda: [found for found in [pids(client)] if len(found) == 4])[0])


def test_calls_a_second(client: httpx.Client) -> None:
    """Four actors together serve 200 calls per second."""

    def is_in_time() -> bool:
        began = time.monotonic()
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: predict(client, "waiting", json={}), range(CALLS)))
        taken_s = time.monotonic() - began
        assert {answer.status_code for answer in answers} == {200}
        return taken_s < limit_now_s(CALLS / CALLS_A_SECOND)

    assert any(is_in_time() for _ in range(TRIES))
    assert len(all_pids(client)) == 4


def test_stopped_worker(client: httpx.Client, gate: Gate) -> None:
    """A stopped worker process causes a timeout of its call, and is replaced."""
    with ThreadPoolExecutor(1) as threads:
        before = all_pids(client)
        stuck = threads.submit(predict, client, "waiting", json={"port": gate.port})
        gate.wait()
        for pid in before:
            psutil.Process(pid).suspend()
        wait_until(lambda: client.get("/health/ready").status_code == 503)
        assert stuck.result(CALL_S).status_code == 504
        for pid in before:
            if psutil.pid_exists(pid):
                psutil.Process(pid).resume()
        wait_until(lambda: client.get("/health/ready").status_code == 200)
        assert predict(client, "waiting", json={}).status_code == 200


def test_killed_node(ray_cluster: Cluster, server: Server, client: httpx.Client) -> None:
    """While a node dies, calls succeed or fail immediately; afterwards there are four workers again."""
    statuses: list[int] = []
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            statuses.append(predict(client, "waiting", json={}).status_code)

    with ThreadPoolExecutor(8) as threads:
        asking = [threads.submit(ask) for _ in range(8)]
        wait_until(lambda: len(statuses) > 100)
        ray_cluster.kill(NODES[2])
        seen = len(statuses)
        wait_until(lambda: len(statuses) > seen + 500, limit_s(60))
        ray_cluster.add(NODES[2])
        is_over.set()
        for one in asking:
            one.result(AT_ONCE_S)
    assert set(statuses) <= {200, 500}
    assert statuses.count(500) <= 8
    wait_until(lambda: len(pids(client)) == 4, limit_s(60))


def test_package_missing_on_a_node(ray_cluster: Cluster, tmp_path: Path) -> None:
    """Calls fail with 503; the message names the missing package and the node."""
    package = tmp_path / "installed" / "gone.py"
    package.parent.mkdir()
    package.write_text((Path(__file__).parents[1] / "models" / "waiting.py").read_text())
    with serving(tmp_path, *ray_cluster.flags, models={"gone": "gone"}) as server, server.client() as client:
        package.unlink()
        assert predict(client, "gone", json={"end": "SIGKILL"}).status_code == 500
        response = predict(client, "gone", json={})
        assert response.status_code == 503, response.text
        assert "No module named 'gone'" in response.json()["message"]
        assert "on the node" in response.json()["message"]


def begin(client: httpx.Client, **arguments: object) -> str:
    """Start a training; return its path."""
    return TRAIN + str(client.post(TRAIN, json=arguments).json()["uuid"])


def state(client: httpx.Client, path: str) -> str:
    return str(client.get(path).json()["state"])


def test_training_outlives_its_server(ray_cluster: Cluster, tmp_path: Path, gate: Gate) -> None:
    """The training continues after its server is killed; the next server takes it over."""
    flags = (*ray_cluster.flags, "--model-name", "trainable")
    with serving_and_killed(tmp_path, *flags, models=MODELS) as first, first.client() as client:
        path = begin(client, what="pid", port=gate.port)
        gate.wait()
        wait_until(lambda: state(client, path) == "running")
        first.process.kill()
    with serving_and_killed(tmp_path, *flags, models=MODELS) as second, second.client() as client:
        assert state(client, path) == "running"
        gate.open()
        wait_until(lambda: state(client, path) == "done")


def test_cancelled_training(ray_cluster: Cluster, tmp_path: Path, gate: Gate) -> None:
    """Cancelling kills a training process that ignores SIGTERM."""
    flags = (*ray_cluster.flags, "--model-name", "trainable", "--cancel-grace", "0.1")
    with serving(tmp_path, *flags, models=MODELS) as server, server.client() as client:
        path = begin(client, what="deaf", port=gate.port)
        gate.wait()
        process = process_of(path.rpartition("/")[2])
        assert client.delete(path).json()["state"] == "cancelled"
        assert not runs(process)
