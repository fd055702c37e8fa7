"""Limits that keep clients from waiting: timeouts, queue length, disconnects, crash loops."""

import json
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.machine import timeout_s
from support.raw_http import Wire
from support.server import (
    AT_ONCE_S,
    Gate,
    Server,
    predict,
    predicted,
    run_until_exit,
    wait_until,
)

pytestmark = pytest.mark.slow
MODELS = {"told": "models.faults.scripted"}
SLOW = {"slow": "models.faults.slow_to_warm"}
DYING = {"dying": "models.faults.dies_warming"}
PREDICT = "/v2/models/told/predict/"
JSON = "Content-Type: application/json"
LIMIT_S = timeout_s(2)
START_LIMIT_S = timeout_s(3)


def call(client: httpx.Client, **arguments: Any) -> httpx.Response:
    """Call the scripted model."""
    return predict(client, "told", json=arguments)


def measured(client: httpx.Client, name: str, **labels: str) -> float:
    """Return a sample from /metrics, or 0 if it is missing."""
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    return 0.0


def test_time_limit(start: Callable[..., Server], gate: Gate) -> None:
    """The call fails with 504 and names the limit; the worker is replaced and counted."""
    server = start("--predict-timeout", str(LIMIT_S), models=MODELS)
    with server.client() as client:
        (old,) = server.workers()
        began = time.monotonic()
        response = call(client, port=gate.port)
        assert 0.9 * LIMIT_S < time.monotonic() - began < LIMIT_S + AT_ONCE_S
        assert response.status_code == 504
        assert response.json() == {"message": f"The prediction took longer than {LIMIT_S:g} s."}
        assert json.loads(call(client).json()["predictions"])["pid"] != old.pid
        assert measured(client, "deepaas_worker_restarts_total", model="told", cause="timeout") == 1
        assert not old.is_running()


def test_time_in_the_queue_does_not_count(start: Callable[..., Server], gate: Gate) -> None:
    """The timeout starts when a call runs, not when it is queued."""
    server = start("--predict-timeout", str(LIMIT_S), models=MODELS)
    with server.client() as client, ThreadPoolExecutor(4) as threads:
        running = [threads.submit(call, client, spin_s=0.4 * LIMIT_S, number=number) for number in range(4)]
        assert [one.result().status_code for one in running] == [200] * 4


def test_full_queue(start: Callable[..., Server], gate: Gate) -> None:
    """Calls beyond --max-queue fail immediately with 503 and Retry-After; queued calls are answered."""
    server = start("--max-queue", "3", models=MODELS)
    with server.client() as client, ThreadPoolExecutor(4) as threads:
        running = [threads.submit(call, client, port=gate.port)]
        gate.wait()
        running += [threads.submit(call, client, number=number) for number in range(3)]
        wait_until(lambda: measured(client, "deepaas_queue_length", model="told") == 3)
        age_s = measured(client, "deepaas_queue_oldest_seconds", model="told")
        wait_until(lambda: measured(client, "deepaas_queue_oldest_seconds", model="told") > age_s)
        response = call(client)
        assert response.status_code == 503
        assert "--max-queue" in response.json()["message"]
        assert int(response.headers["Retry-After"]) >= 1
        assert client.get("/health/ready").status_code == 503
        gate.open()
        assert [one.result().status_code for one in running] == [200] * 4
        assert measured(client, "deepaas_queue_length", model="told") == 0
        assert client.get("/health/ready").status_code == 200


def test_disconnect_drops_a_queued_call(start: Callable[..., Server], gate: Gate) -> None:
    """A queued call is dropped, and never runs, when its client disconnects."""
    server = start(models=MODELS)
    with server.client() as client, ThreadPoolExecutor(1) as threads:
        running = threads.submit(call, client, port=gate.port)
        gate.wait()
        with Wire(server) as wire:
            wire.post(PREDICT, JSON, body=b'{"note": "left"}')
            wait_until(lambda: measured(client, "deepaas_queue_length", model="told") == 1)
        wait_until(lambda: measured(client, "deepaas_queue_length", model="told") == 0)
        gate.open()
        assert running.result().status_code == 200
        assert call(client, note="stayed").status_code == 200
    assert (server.cwd / "notes").read_text() == "stayed\n"


@pytest.mark.parametrize("flags", [(), ("--cancel-on-disconnect",)], ids=["abandoned", "killed"])
def test_disconnect_during_a_running_call(
    start: Callable[..., Server], gate: Gate, flags: tuple[str, ...]
) -> None:
    """The worker finishes the call; with --cancel-on-disconnect it is killed."""
    server = start(*flags, models=MODELS)
    (worker,) = server.workers()
    with Wire(server) as wire:
        wire.post(PREDICT, JSON, body=json.dumps({"port": gate.port}).encode())
        gate.wait()
    with server.client() as client:
        if flags:
            wait_until(lambda: not worker.is_running())
            assert measured(client, "deepaas_worker_restarts_total", cause="disconnect") == 1
        else:
            notices(client)
            gate.open()
        pid = predicted(client, "told", json={})["pid"]
        assert (pid == worker.pid) is (not flags)


def notices(client: httpx.Client) -> None:
    """Give the event loop enough turns to handle a disconnect that happened before."""
    for _ in range(3):
        client.get("/health/live").raise_for_status()


def test_crash_loop(start: Callable[..., Server]) -> None:
    """While no worker can be warmed, calls and readiness report why; the server recovers by itself."""
    server = start(models=DYING)
    with server.client() as client:
        (server.cwd / "order").write_text("SIGABRT")
        assert predict(client, "dying", json={"end": "SIGKILL"}).status_code == 500
        wait_until(lambda: client.get("/health/ready").status_code == 503)
        response = wait_until(
            lambda: [one for one in [predict(client, "dying", json={})] if one.status_code == 503]
        )[0]
        assert "SIGABRT while starting" in response.json()["message"]
        assert int(response.headers["Retry-After"]) >= 1
        ready = client.get("/v2/models/dying/ready")
        assert ready.status_code == 503
        assert "SIGABRT" in ready.json()["problems"]["dying"]
        assert client.get("/health/live").status_code == 200
        assert measured(client, "deepaas_workers", state="starting") == 1
        server.output.wait_for("trying again in 1 s")  # the pause grows
        (server.cwd / "order").unlink()
        wait_until(lambda: client.get("/health/ready").status_code == 200)
        assert predict(client, "dying", json={}).status_code == 200


@pytest.mark.parametrize("hindrance", ["waits", "stopped"])
def test_start_timeout(start: Callable[..., Server], gate: Gate, hindrance: str) -> None:
    """The server gives up a worker that is not ready in time; calls report why, and it recovers by itself."""
    server = start("--worker-start-timeout", str(START_LIMIT_S), models=SLOW)
    with server.client() as client, ThreadPoolExecutor(1) as threads:
        (old,) = server.workers()
        (server.cwd / "port").write_text(str(gate.port))
        old.kill()
        gate.wait()
        asked = threads.submit(predict, client, "slow")
        if hindrance == "stopped":
            (successor,) = server.workers()
            successor.suspend()
        gate.wait()  # the second attempt follows immediately
        response = asked.result()
        assert response.status_code == 503
        assert f"not ready after {START_LIMIT_S:g} s (--worker-start-timeout)" in response.json()["message"]
        assert "Retry-After" in response.headers
        assert "--worker-start-timeout" in client.get("/health/ready").json()["problems"]["slow"]
        (server.cwd / "port").unlink()
        gate.open()
        wait_until(lambda: client.get("/health/ready").status_code == 200)
        assert predict(client, "slow").status_code == 200


def test_start_timeout_at_the_start(tmp_path: Path) -> None:
    """A model that is not ready in time ends the startup with exit code 1 and names the option."""
    with Gate() as gate:
        (tmp_path / "port").write_text(str(gate.port))
        ended = run_until_exit(tmp_path, "--worker-start-timeout", "1", models=SLOW)
    assert ended.returncode == 1
    message = "The model 'slow' cannot be used: its worker was not ready after 1 s (--worker-start-timeout)."
    assert message in ended.stdout


@pytest.mark.parametrize("prefix", ["", "/v2"])
def test_health(start: Callable[..., Server], prefix: str) -> None:
    """Liveness and readiness respond at both URLs; readiness also for a single model."""
    server = start(models=MODELS)
    with server.client() as client:
        assert client.get(f"{prefix}/health/live").json() == {"live": True}
        assert client.get(f"{prefix}/health/ready").json() == {"ready": True}
        assert client.get("/v2/models/told/ready").json() == {"ready": True}
        assert client.get("/v2/models/other/ready").status_code == 404


def test_stopped_worker_is_not_ready(start: Callable[..., Server]) -> None:
    """Readiness is false while the only worker is stopped, and true once it continues."""
    server = start(models=MODELS)
    with server.client() as client:
        (worker,) = server.workers()
        worker.send_signal(signal.SIGSTOP)
        wait_until(lambda: worker.status() == psutil.STATUS_STOPPED)
        for path in ("/health/ready", "/v2/health/ready", "/v2/models/told/ready"):
            response = client.get(path)
            assert response.status_code == 503
            assert "No worker of 'told' is running" in response.json()["problems"]["told"]
        assert client.get("/health/live").status_code == 200
        worker.send_signal(signal.SIGCONT)
        wait_until(lambda: client.get("/v2/models/told/ready").status_code == 200)


def test_idle_stopped_worker_with_a_limit(start: Callable[..., Server]) -> None:
    """A call sent to a worker that was stopped while idle fails with 504; the next call succeeds."""
    server = start("--predict-timeout", str(LIMIT_S), models=MODELS)
    with server.client() as client:
        server.workers()[0].send_signal(signal.SIGSTOP)
        assert call(client).status_code == 504
        assert call(client).status_code == 200
