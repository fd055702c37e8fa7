"""The end of a server: what runs is answered, nothing is left, and it does not take long."""

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

from serving import (
    AN_HOUR,
    AT_ONCE_S,
    END_S,
    Gate,
    Server,
    command_line,
    environment,
    killing,
    predict,
    until,
)
from serving import _command as command

pytestmark = pytest.mark.slow
MODELS = {"told": "models_faults.told"}
TRAIN = "/v2/models/told/train/"


def end(server: Server, number: signal.Signals) -> None:
    """Send the server's process a signal."""
    server.process.send_signal(number)


def stream(server: Server, path: str, reading: Future[None]) -> str:
    """Read a stream to its end, and say when it has begun."""
    with server.client() as client, client.stream("GET", path) as response:
        assert response.status_code == 200
        reading.set_result(None)
        return "".join(response.iter_text())


def train(client: httpx.Client, **arguments: Any) -> str:
    """Start a training and return its id."""
    response = client.post(TRAIN, json=arguments)
    assert response.status_code == 200, response.text
    return str(response.json()["uuid"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_running_call_is_answered(start: Callable[..., Server], gate: Gate, number: signal.Signals) -> None:
    """A call that runs is answered before the server ends with code 0; newcomers are refused."""
    server = start("--drain-timeout", AN_HOUR, models=MODELS)
    family = server.family()
    url = httpx.URL(server.url)
    with server.client() as client, ThreadPoolExecutor(1) as threads:
        running = threads.submit(predict, client, "told", json={"port": gate.port, "number": 7})
        gate.wait()
        end(server, number)
        server.output.wait_for("Stopping")
        until(lambda: refuses(url))
        gate.open()
        answer = running.result()
        assert answer.status_code == 200, answer.text
        assert '"number\\":7' in answer.text
    assert server.process.wait(AT_ONCE_S) == 0
    assert_nothing_left(server, family)


def refuses(url: httpx.URL) -> bool:
    """Return whether nobody listens there any more."""
    try:
        httpx.get(f"{url}/health/live", timeout=END_S)
    except httpx.ConnectError:
        return True
    return False


def assert_nothing_left(server: Server, family: list[psutil.Process]) -> None:
    """No process, no file, nobody who holds the output."""
    assert not psutil.wait_procs(family, timeout=END_S)[1]
    server.output.join(END_S)
    assert list(server.scratch.iterdir()) == []
    assert "Traceback" not in server.log, server.log
    server._stopped = True  # noqa: SLF001 - the fixture need not stop what has ended


def test_queued_calls_are_answered(start: Callable[..., Server], gate: Gate) -> None:
    """Calls that wait when the signal comes are answered too."""
    server = start("--drain-timeout", AN_HOUR, models=MODELS)
    with server.client() as client, ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(predict, client, "told", json={"port": gate.port})]
        gate.wait()
        calls += [threads.submit(predict, client, "told", json={"number": number}) for number in range(3)]
        until(lambda: 'deepaas_queue_length{model="told"} 3.0' in client.get("/metrics").text)
        family = server.family()
        end(server, signal.SIGTERM)
        server.output.wait_for("Stopping")
        gate.open()
        assert [one.result().status_code for one in calls] == [200] * 4
    assert server.process.wait(AT_ONCE_S) == 0
    assert_nothing_left(server, family)


@pytest.mark.parametrize("what", ["events", "log?follow=true"])
def test_followers(start: Callable[..., Server], gate: Gate, what: str) -> None:
    """Clients that follow a training do not hold up the end."""
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


def test_twice_means_now(start: Callable[..., Server], gate: Gate) -> None:
    """The second signal ends a server that still waits for a call, at once and with nothing left."""
    server = start("--drain-timeout", AN_HOUR, models=MODELS)
    family = server.family()
    with server.client() as client, ThreadPoolExecutor(1) as threads:
        running = threads.submit(predict, client, "told", json={"port": gate.port})
        gate.wait()
        end(server, signal.SIGTERM)
        server.output.wait_for("Stopping")
        assert server.process.poll() is None
        end(server, signal.SIGINT)
        assert server.process.wait(AT_ONCE_S) == 0
        with contextlib.suppress(httpx.TransportError):
            assert running.result().status_code == 503
    assert_nothing_left(server, family)


def test_server_that_is_killed(tmp_path: Path) -> None:
    """Workers do not outlive a server that was killed."""
    with killing(tmp_path, "--workers", "2", models=MODELS) as server:
        workers = server.family()[1:]
        assert len(workers) == 2
        server.process.kill()
        assert not psutil.wait_procs(workers, timeout=END_S)[1]


def test_drain_timeout(start: Callable[..., Server], gate: Gate) -> None:
    """A call that runs for longer than --drain-timeout does not hold up the end for longer."""
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
    """A signal that comes while the model is imported or warmed ends the server at once, with code 0."""
    (tmp_path / "port").write_text(str(gate.port))
    models = {"slow": f"models_faults.{model}"}
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


def test_hanging_code_in_the_server(start: Callable[..., Server], gate: Gate) -> None:
    """A get_metadata() that hangs does not keep the server from ending."""
    server = start("--drain-timeout", "1", models={"hanging": "models_faults.describes_itself"})
    family = server.family()
    (server.cwd / "order").write_text(str(gate.port))
    with server.client() as client, ThreadPoolExecutor(1) as threads:
        asking = threads.submit(client.get, "/v2/models/hanging/")
        gate.wait()
        end(server, signal.SIGTERM)
        assert server.process.wait(AT_ONCE_S) == 0
        assert asking.exception()
    assert_nothing_left(server, family)


def test_training_is_cancelled(start: Callable[..., Server], gate: Gate) -> None:
    """The end cancels trainings; the next start shows them as cancelled."""
    first = start("--cancel-grace", "1", models=MODELS)
    with first.client() as client:
        uuid = train(client, port=gate.port)
        gate.wait()
    first.stop()
    second = start(models=MODELS)
    with second.client() as client:
        assert client.get(f"{TRAIN}{uuid}").json()["status"] == "cancelled"


def test_training_is_left_and_adopted(start: Callable[..., Server], gate: Gate) -> None:
    """With --train-on-shutdown detach a training goes on without a server, and the next start adopts it."""
    first = start("--train-on-shutdown", "detach", "--drain-timeout", AN_HOUR, models=MODELS)
    with first.client() as client:
        uuid = train(client, port=gate.port)
        gate.wait()
    training = next(one for one in first.family()[1:] if "deepaas.trainings.child" in command_line(one))
    end(first, signal.SIGTERM)
    assert first.process.wait(AT_ONCE_S) == 0
    first._stopped = True  # noqa: SLF001 - the fixture need not stop what has ended
    assert training.is_running()
    second = start("--train-on-shutdown", "detach", models=MODELS)
    with second.client() as client:
        assert client.get(f"{TRAIN}{uuid}").json()["status"] == "running"
        gate.open()
        until(lambda: client.get(f"{TRAIN}{uuid}").json()["status"] == "done")
