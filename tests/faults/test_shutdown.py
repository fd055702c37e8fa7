"""Shutdown: running calls are answered, nothing is left behind, and it does not take long."""

import contextlib
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from support.server import (
    AN_HOUR,
    AT_ONCE_S,
    END_S,
    Gate,
    Server,
    command_line,
    environment,
    predict,
    serving_and_killed,
    wait_until,
)
from support.server import _command as command

pytestmark = pytest.mark.slow
MODELS = {"told": "models.faults.scripted"}
TRAIN = "/v2/models/told/train/"


def end(server: Server, number: signal.Signals) -> None:
    server.process.send_signal(number)


def stream(server: Server, path: str, reading: Future[None]) -> str:
    """Read a stream to its end; resolve `reading` once it has started."""
    with server.client() as client, client.stream("GET", path) as response:
        assert response.status_code == 200
        reading.set_result(None)
        return "".join(response.iter_text())


def train(client: httpx.Client, **arguments: Any) -> str:
    """Start a training; return its id."""
    response = client.post(TRAIN, json=arguments)
    assert response.status_code == 200, response.text
    return str(response.json()["uuid"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_running_call_is_answered(start: Callable[..., Server], gate: Gate, number: signal.Signals) -> None:
    """A running call is answered before the server exits with code 0; new connections are refused."""
    server = start("--drain-timeout", AN_HOUR, models=MODELS)
    family = server.family()
    url = httpx.URL(server.url)
    with server.client() as client, ThreadPoolExecutor(1) as threads:
        running = threads.submit(predict, client, "told", json={"port": gate.port, "number": 7})
        gate.wait()
        end(server, number)
        server.output.wait_for("Shutting down")
        wait_until(lambda: refuses(url))
        gate.open()
        answer = running.result()
        assert answer.status_code == 200, answer.text
        assert '"number\\":7' in answer.text
    assert server.process.wait(AT_ONCE_S) == 0
    assert_nothing_left(server, family)


def refuses(url: httpx.URL) -> bool:
    """Return whether connections are refused."""
    try:
        httpx.get(f"{url}/health/live", timeout=END_S)
    except httpx.ConnectError:
        return True
    return False


def assert_nothing_left(server: Server, family: list[psutil.Process]) -> None:
    """Check that no process and no file is left, and that the output is closed."""
    assert not psutil.wait_procs(family, timeout=END_S)[1]
    server.output.join(END_S)
    assert list(server.scratch.iterdir()) == []
    assert "Traceback" not in server.log, server.log
    server._stopped = True  # noqa: SLF001 - the server has already exited


def test_queued_calls_are_answered(start: Callable[..., Server], gate: Gate) -> None:
    server = start("--drain-timeout", AN_HOUR, models=MODELS)
    with server.client() as client, ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(predict, client, "told", json={"port": gate.port})]
        gate.wait()
        calls += [threads.submit(predict, client, "told", json={"number": number}) for number in range(3)]
        wait_until(lambda: 'deepaas_queue_length{model="told"} 3.0' in client.get("/metrics").text)
        family = server.family()
        end(server, signal.SIGTERM)
        server.output.wait_for("Shutting down")
        gate.open()
        assert [one.result().status_code for one in calls] == [200] * 4
    assert server.process.wait(AT_ONCE_S) == 0
    assert_nothing_left(server, family)


@pytest.mark.parametrize("what", ["events", "log?follow=true"])
def test_followers(start: Callable[..., Server], gate: Gate, what: str) -> None:
    """Clients that follow a training do not delay the shutdown."""
    server = start("--cancel-grace", "1", "--drain-timeout", AN_HOUR, models=MODELS)
    reading: Future[None] = Future()
    with server.client() as client, ThreadPoolExecutor(1) as threads:
        uuid = train(client, port=gate.port, say="here I am")
        gate.wait()
        following = threads.submit(stream, server, f"{TRAIN}{uuid}/{what}", reading)
        reading.result(AT_ONCE_S)
        family = server.family()
        end(server, signal.SIGTERM)
        assert server.process.wait(AT_ONCE_S) == 0
        assert "here I am" in following.result(AT_ONCE_S)
    assert_nothing_left(server, family)


def test_second_signal_forces_shutdown(start: Callable[..., Server], gate: Gate) -> None:
    """A second signal stops a server that is waiting for a call, without leaving anything behind."""
    server = start("--drain-timeout", AN_HOUR, models=MODELS)
    family = server.family()
    with server.client() as client, ThreadPoolExecutor(1) as threads:
        running = threads.submit(predict, client, "told", json={"port": gate.port})
        gate.wait()
        end(server, signal.SIGTERM)
        server.output.wait_for("Shutting down")
        assert server.process.poll() is None
        end(server, signal.SIGINT)
        assert server.process.wait(AT_ONCE_S) == 0
        with contextlib.suppress(httpx.TransportError):
            assert running.result().status_code == 503
    assert_nothing_left(server, family)


def test_workers_exit_with_a_killed_server(tmp_path: Path) -> None:
    with serving_and_killed(tmp_path, "--workers", "2", models=MODELS) as server:
        workers = server.family()[1:]
        assert len(server.workers()) == 2
        server.process.kill()
        assert not psutil.wait_procs(workers, timeout=END_S)[1]


def test_drain_timeout_limits_the_shutdown(start: Callable[..., Server], gate: Gate) -> None:
    server = start("--drain-timeout", "1", models=MODELS)
    family = server.family()
    with server.client() as client, ThreadPoolExecutor(1) as threads:
        running = threads.submit(predict, client, "told", json={"port": gate.port})
        gate.wait()
        began = time.monotonic()
        end(server, signal.SIGTERM)
        assert server.process.wait(AT_ONCE_S) == 0
        assert time.monotonic() - began > 0.9
        assert running.exception() or running.result().status_code == 503
    assert_nothing_left(server, family)


@pytest.mark.parametrize("model", ["slow_to_import", "slow_to_warm"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_while_starting(tmp_path: Path, gate: Gate, model: str, number: signal.Signals) -> None:
    """A signal during import or warm() stops the server immediately, with code 0."""
    (tmp_path / "port").write_text(str(gate.port))
    models = {"slow": f"models.faults.{model}"}
    server = Server(
        command(tmp_path, ("--drain-timeout", AN_HOUR)), tmp_path, environment(tmp_path, models, {}), tmp_path
    )
    try:
        gate.wait()
        family = server.family()
        end(server, number)
        assert server.process.wait(AT_ONCE_S) == 0
        assert_nothing_left(server, family)
    finally:
        server.kill()


def test_hanging_metadata(start: Callable[..., Server], gate: Gate, tmp_path: Path) -> None:
    """A get_metadata() that hangs does not prevent the shutdown."""
    (tmp_path / "order").write_text("first")
    server = start("--drain-timeout", "1", models={"hanging": "models.faults.describes_itself"})
    family = server.family()
    with server.client() as client, ThreadPoolExecutor(1) as threads:
        wait_until(lambda: client.get("/v2/models/hanging/").json().get("author") == "first")
        (server.cwd / "order").write_text(str(gate.port))
        threads.submit(client.get, "/v2/models/hanging/")
        gate.wait()
        end(server, signal.SIGTERM)
        assert server.process.wait(AT_ONCE_S) == 0
    assert_nothing_left(server, family)


def test_training_is_cancelled(start: Callable[..., Server], gate: Gate) -> None:
    """Shutdown cancels trainings; after a restart they are shown as cancelled."""
    first = start("--cancel-grace", "1", models=MODELS)
    with first.client() as client:
        uuid = train(client, port=gate.port)
        gate.wait()
    first.stop()
    second = start(models=MODELS)
    with second.client() as client:
        assert client.get(f"{TRAIN}{uuid}").json()["status"] == "cancelled"


def test_detached_training_is_taken_over(start: Callable[..., Server], gate: Gate) -> None:
    """With --train-on-shutdown detach a training continues without a server; the next start takes it over."""
    first = start("--train-on-shutdown", "detach", "--drain-timeout", AN_HOUR, models=MODELS)
    with first.client() as client:
        uuid = train(client, port=gate.port)
        gate.wait()
    training = next(one for one in first.family()[1:] if "deepaas.trainings.child" in command_line(one))
    end(first, signal.SIGTERM)
    assert first.process.wait(AT_ONCE_S) == 0
    first._stopped = True  # noqa: SLF001 - the server has already exited
    assert training.is_running()
    second = start("--train-on-shutdown", "detach", models=MODELS)
    with second.client() as client:
        assert client.get(f"{TRAIN}{uuid}").json()["status"] == "running"
        gate.open()
        wait_until(lambda: client.get(f"{TRAIN}{uuid}").json()["status"] == "done")
