"""Replacement of workers that die, hang or cannot start."""

import json
import resource
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from support.machine import timeout_s
from support.raw_http import Wire
from support.server import AT_ONCE_S, Gate, Server, predict, predicted, wait_until

pytestmark = pytest.mark.slow
MODELS = {"told": "models.faults.scripted"}
PREDICT = "/v2/models/told/predict/"
JSON = "Content-Type: application/json"
WAIT = "import socket\nwith socket.create_connection(('127.0.0.1', {})) as gate:\n    gate.recv(1)\n"
SLOW = {"slow": "models.faults.slow_to_warm"}


def call(client: httpx.Client, **arguments: Any) -> httpx.Response:
    """Call the scripted model."""
    return predict(client, "told", json=arguments)


def test_reload_and_death(start: Callable[..., Server], gate: Gate) -> None:
    """A call that kills its worker during a reload fails immediately, and the reload finishes."""
    server = start(models=MODELS)
    with server.client() as client, ThreadPoolExecutor(2) as threads:
        doomed = threads.submit(call, client, port=gate.port, end="SIGSEGV")
        gate.wait()
        reloading = threads.submit(client.post, "/v2/models/told/reload")
        wait_until(lambda: call(client).status_code == 200)
        gate.open()
        response = doomed.result(AT_ONCE_S)
        assert response.status_code == 500
        assert "SIGSEGV" in response.json()["message"]
        assert reloading.result(AT_ONCE_S).status_code == 200
        wait_until(lambda: len(server.workers()) == 1)


def test_reload_and_time_limit(start: Callable[..., Server], gate: Gate) -> None:
    """A call that hangs during a reload still exceeds the timeout."""
    server = start("--predict-timeout", str(timeout_s(1)), models=MODELS)
    with server.client() as client, ThreadPoolExecutor(2) as threads:
        stuck = threads.submit(call, client, port=gate.port)
        gate.wait()
        reloading = threads.submit(client.post, "/v2/models/told/reload")
        assert stuck.result(AT_ONCE_S).status_code == 504
        assert reloading.result(AT_ONCE_S).status_code == 200
        assert call(client).status_code == 200


def test_reload_and_leaving_client(start: Callable[..., Server], gate: Gate) -> None:
    """With --cancel-on-disconnect, a call is killed even while its worker is being replaced."""
    server = start("--cancel-on-disconnect", models=MODELS)
    with server.client() as client, ThreadPoolExecutor(1) as threads:
        (old,) = server.workers()
        with Wire(server) as leaving:
            leaving.post(PREDICT, JSON, body=json.dumps({"port": gate.port}).encode())
            gate.wait()
            reloading = threads.submit(client.post, "/v2/models/told/reload")
            wait_until(lambda: predicted(client, "told", json={})["pid"] != old.pid)
        assert reloading.result(AT_ONCE_S).status_code == 200
        wait_until(lambda: not old.is_running())


def test_death_while_reloading(start: Callable[..., Server], gate: Gate) -> None:
    """If a worker dies while its successor warms, the number of workers is still right afterwards."""
    server = start(models=SLOW)
    with server.client() as client, ThreadPoolExecutor(1) as threads:
        (old,) = server.workers()
        (server.cwd / "port").write_text(str(gate.port))
        reloading = threads.submit(client.post, "/v2/models/slow/reload")
        gate.wait()
        old.kill()
        server.output.wait_for("SIGKILL; other workers take over")
        (server.cwd / "port").unlink()
        gate.open()
        assert reloading.result(AT_ONCE_S).status_code == 200
        assert predict(client, "slow").status_code == 200
        wait_until(lambda: "slow" in server.log and len(server.workers()) == 1)


@pytest.mark.parametrize("spare", [1, 2, 3, 4, 6])
def test_no_process_can_be_started(start: Callable[..., Server], spare: int) -> None:
    """If the system refuses a new process, calls fail with 503 and the cause; later they succeed again."""
    server = start(models=MODELS)
    process = server.family()[0]
    with server.client() as client:
        assert call(client).status_code == 200
        open_before = process.num_fds()
        limits = process.rlimit(resource.RLIMIT_NOFILE)
        process.rlimit(resource.RLIMIT_NOFILE, (open_before + spare, limits[1]))
        assert call(client, end="SIGKILL").status_code == 500
        response = call(client)
        assert response.status_code == 503
        assert "refuses to start a process" in response.json()["message"]
        assert client.get("/health/ready").status_code == 503
        process.rlimit(resource.RLIMIT_NOFILE, limits)
        wait_until(lambda: call(client).status_code == 200)
        wait_until(lambda: process.num_fds() == open_before)


def test_killed_while_starting(start: Callable[..., Server], gate: Gate) -> None:
    """Calls stay queued while workers are killed one after another before they load the model."""
    server = start(models=MODELS)
    first_code = server.cwd / "installed" / "sitecustomize.py"
    first_code.write_text(WAIT.format(gate.port))
    with server.client() as client, ThreadPoolExecutor(1) as threads:
        server.workers()[0].kill()
        gate.wait()
        waiting = threads.submit(call, client, number=3)
        for _ in range(4):
            server.workers()[0].kill()
            gate.wait()
        first_code.unlink()
        gate.open()
        response = waiting.result()
        assert response.status_code == 200, response.text
        assert client.get("/health/ready").status_code == 200
