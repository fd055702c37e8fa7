"""Reloading, training modes, disconnects and lost trainings behave on a cluster as they do locally."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from support.raw_http import Wire
from support.ray_cluster import Cluster, process_of, runs
from support.server import AT_ONCE_S, START_S, Gate, predict, predicted, serving, wait_until

VERSIONED = {"versioned": "models.training.versioned"}
WAITING = {"waiting": "models.waiting"}
TRAINABLE = {"trainable": "models.trainable"}
PREDICT = "/v2/models/waiting/predict/"
TRAIN = "/v2/models/{}/train/"
CONNECTIONS = 8


@pytest.fixture
def serve(ray_cluster: Cluster, tmp_path: Path) -> Callable[..., Any]:
    """Return a context manager that serves models on the cluster."""
    return lambda *flags, models: serving(tmp_path, *ray_cluster.flags, *flags, models=models)


def test_reload_under_load(serve: Callable[..., Any]) -> None:
    """No prediction fails during reloads; after a reload's response, only new workers serve."""
    with serve("--workers", "2", models=VERSIONED) as server, server.client() as client:
        statuses: list[int] = []
        is_over = threading.Event()

        def ask() -> None:
            # The pauses leave processor time to the workers that are starting.
            while not is_over.wait(0.01):
                statuses.append(predict(client, "versioned").status_code)

        with ThreadPoolExecutor(CONNECTIONS) as threads:
            asking = [threads.submit(ask) for _ in range(CONNECTIONS)]
            try:
                for version in "abc":
                    (server.cwd / "version").write_text(version)
                    response = client.post("/v2/models/versioned/reload", timeout=START_S)
                    assert (response.status_code, response.json()) == (200, {"workers": 2})
                    assert predicted(client, "versioned")["version"] == version
            finally:
                is_over.set()
            for one in asking:
                one.result(AT_ONCE_S)
        assert set(statuses) == {200}
        assert len(statuses) > 100


def test_reload_of_a_broken_model(serve: Callable[..., Any]) -> None:
    """The reload is refused, and the old workers keep serving."""
    with serve(models=VERSIONED) as server, server.client() as client:
        (server.cwd / "version").write_text("broken")
        assert client.post("/v2/models/versioned/reload", timeout=START_S).status_code == 503
        assert predicted(client, "versioned")["version"] == "none"


def test_exclusive_training(serve: Callable[..., Any], gate: Gate) -> None:
    """During an exclusive training predictions are refused with Retry-After; afterwards they succeed."""
    path = TRAIN.format("versioned")
    with serve("--train-mode", "exclusive", models=VERSIONED) as server, server.client() as client:
        assert predict(client, "versioned").status_code == 200
        record = client.post(path, json={"version": "trained", "port": gate.port}).json()
        gate.wait()
        refused = predict(client, "versioned")
        assert refused.status_code == 503
        assert "Retry-After" in refused.headers
        gate.open()
        wait_until(lambda: client.get(path + record["uuid"]).json()["state"] == "done")
        wait_until(lambda: predict(client, "versioned").status_code == 200)
        assert predicted(client, "versioned")["version"] == "trained"


@pytest.mark.parametrize("flags", [(), ("--cancel-on-disconnect",)], ids=["abandoned", "killed"])
def test_disconnect(serve: Callable[..., Any], gate: Gate, flags: tuple[str, ...]) -> None:
    """The worker finishes the call; with --cancel-on-disconnect it is killed."""
    with serve(*flags, models=WAITING) as server, server.client() as client:
        before = predicted(client, "waiting", json={})["pid"]
        with Wire(server) as wire:
            body = json.dumps({"port": gate.port}).encode()
            wire.post(PREDICT, "Content-Type: application/json", body=body)
            gate.wait()
        if flags:
            wait_until(lambda: not psutil.pid_exists(before))
        else:
            for _ in range(3):  # lets the server handle the disconnect
                client.get("/health/live").raise_for_status()
            gate.open()
        assert (predicted(client, "waiting", json={})["pid"] == before) is (not flags)


def test_scaling(serve: Callable[..., Any], gate: Gate) -> None:
    """While calls wait, workers are added up to the maximum; idle ones are removed down to the minimum."""
    flags = ("--workers", "1:3", "--scale-down-after", "0.5")
    with serve(*flags, models=WAITING) as server, server.client() as client:
        with ThreadPoolExecutor(4) as threads:
            calls = [threads.submit(predict, client, "waiting", json={"port": gate.port}) for _ in range(4)]
            gate.wait(3)  # three run at once, though there was one worker
            gate.open()
            gate.wait()
            gate.open()
            assert [call.result(AT_ONCE_S).status_code for call in calls] == [200] * 4
        wait_until(lambda: 'deepaas_workers{model="waiting",state="idle"} 1.0' in client.get("/metrics").text)


def test_lost_training(serve: Callable[..., Any], gate: Gate) -> None:
    """If its actor dies, a training is marked lost and its process exits; the next one runs."""
    path = TRAIN.format("trainable")
    with serve(models=TRAINABLE) as server, server.client() as client:
        record = client.post(path, json={"what": "pid", "port": gate.port}).json()
        gate.wait()
        process = process_of(record["uuid"])
        actor = process.parent()
        assert actor is not None
        actor.kill()
        lost = wait_until(lambda: _if_ended(client, path + record["uuid"]))
        assert (lost["status"], lost["state"]) == ("error", "lost")
        assert lost["message"].startswith("lost: ")
        wait_until(lambda: not runs(process))
        gate.open()
        following = client.post(path, json={"what": "pid"}).json()
        assert wait_until(lambda: _if_ended(client, path + following["uuid"]))["state"] == "done"


def _if_ended(client: httpx.Client, path: str) -> dict[str, Any] | None:
    record: dict[str, Any] = client.get(path).json()
    return record if record["state"] in ("done", "error", "cancelled", "lost") else None
