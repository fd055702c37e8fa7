"""Autoscaling: workers are added while calls wait, and removed when idle."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.calls import is_worker
from support.server import AT_ONCE_S, Gate, Server, predict, predicted, serving, wait_until

pytestmark = pytest.mark.slow
TOLD = {"told": "models.faults.scripted"}
SLOW = {"slow": "models.faults.slow_to_warm"}
LATER = ("--scale-down-after", "600")
SOON = ("--scale-down-after", "0.3")


def measured(client: httpx.Client, name: str, **labels: str) -> float:
    """Return a sample from /metrics, or 0 if it is missing."""
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            if sample.name == f"deepaas_{name}" and labels.items() <= sample.labels.items():
                return float(sample.value)
    return 0.0


def workers(server: Server) -> list[psutil.Process]:
    return [one for one in server.family()[1:] if is_worker(one)]


@contextlib.contextmanager
def calls(client: httpx.Client, gate: Gate, count: int) -> Iterator[list[Future[httpx.Response]]]:
    """Make calls that wait for the gate; in the end, check that all succeeded."""
    with ThreadPoolExecutor(count) as threads:
        made = [threads.submit(predict, client, "told", json={"port": gate.port}) for _ in range(count)]
        yield made
        assert [one.result().status_code for one in made] == [200] * count


def let_through(gate: Gate, count: int) -> None:
    """Let `count` calls pass the gate one by one."""
    for _ in range(count):
        gate.wait()
        gate.open()


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server with one to three workers that removes idle ones quickly."""
    with serving(tmp_path_factory.mktemp("scaled"), "--workers", "1:3", *SOON, models=TOLD) as server:
        yield server


def test_up_and_down(scaled: Server, gate: Gate) -> None:
    """Calls run concurrently up to the maximum; when workers are idle, the minimum remains.

    These are the first ones, because calls go to the first idle worker.
    """
    with scaled.client() as client:
        wait_until(lambda: len(workers(scaled)) == 1)
        first = workers(scaled)[0].pid
        with calls(client, gate, 5):
            gate.wait(3)  # three run at once, though there was one worker
            assert measured(client, "queue_length") == 2
            assert measured(client, "workers", state="busy") == 3
            assert len(workers(scaled)) == 3
            assert client.get("/health/ready").status_code == 200
            gate.open()
            let_through(gate, 2)
        wait_until(lambda: len(workers(scaled)) == 1)
        assert workers(scaled)[0].pid == first
        assert measured(client, "workers", state="idle") == 1
        assert measured(client, "worker_scale_events_total", direction="up") == 2
        assert measured(client, "worker_scale_events_total", direction="down") == 2
        assert measured(client, "worker_restarts_total") == 0


def test_busy_workers_stay(scaled: Server, gate: Gate) -> None:
    """Busy workers are not removed."""
    with scaled.client() as client, calls(client, gate, 2):
        gate.wait(2)
        busy = {one.pid for one in workers(scaled)}
        with calls(client, other := Gate(), 1), other:
            other.wait()  # a third worker has started
            other.open()
        wait_until(lambda: len(workers(scaled)) == 2)
        assert {one.pid for one in workers(scaled)} == busy
        gate.open()


def test_no_more_than_needed(scaled: Server, gate: Gate) -> None:
    """One waiting call starts one worker."""
    with scaled.client() as client:
        wait_until(lambda: len(workers(scaled)) == 1)
        before = measured(client, "worker_scale_events_total", direction="up")
        with calls(client, gate, 2):
            gate.wait(2)
            gate.open()
        assert measured(client, "worker_scale_events_total", direction="up") == before + 1


@pytest.mark.parametrize("given", ["2", "2:2"])
def test_equal_pair(start: Callable[..., Server], gate: Gate, given: str) -> None:
    """MIN equal to MAX means a fixed number."""
    server = start("--workers", given, models=TOLD)
    with server.client() as client, calls(client, gate, 3):
        gate.wait(2)
        wait_until(lambda: measured(client, "queue_oldest_seconds", model="told") > 0.5)
        assert len(workers(server)) == 2
        gate.open()
        let_through(gate, 1)


def test_failing_start_backs_off(start: Callable[..., Server], gate: Gate) -> None:
    """If an additional worker cannot be warmed, the others keep serving, and retries back off."""
    server = start("--workers", "1:3", *LATER, models={"dying": "models.faults.dies_warming"})
    with server.client() as client, ThreadPoolExecutor(2) as threads:
        (server.cwd / "order").write_text("SIGABRT")
        (worker,) = workers(server)
        worker.suspend()
        waiting = [threads.submit(predict, client, "dying", json={}) for _ in range(2)]
        server.output.wait_for(r"Worker 2 of 'dying' \(pid \d+\) did not start; trying again now: .*SIGABRT")
        server.output.wait_for(r"Worker 2 of 'dying' \(pid \d+\) did not start; trying again in 1 s: ")
        assert workers(server)[0].pid == worker.pid
        (server.cwd / "order").unlink()
        worker.resume()
        assert [one.result(AT_ONCE_S).status_code for one in waiting] == [200] * 2
        assert client.get("/health/ready").status_code == 200


def test_failing_start_is_given_up(start: Callable[..., Server], gate: Gate) -> None:
    """If an additional worker cannot be started, the server tries only until its workers are idle."""
    server = start("--workers", "1:2", *SOON, models={"dying": "models.faults.dies_warming"})
    with server.client() as client, ThreadPoolExecutor(2) as threads:
        (server.cwd / "order").write_text("SIGABRT")
        (worker,) = workers(server)
        worker.suspend()
        waiting = [threads.submit(predict, client, "dying", json={}) for _ in range(2)]
        server.output.wait_for("did not start; trying again in 0.5 s")
        worker.resume()
        assert [one.result(AT_ONCE_S).status_code for one in waiting] == [200] * 2
        server.output.wait_for("Scaling 'dying' down to 1 workers")
        wait_until(lambda: measured(client, "workers", state="starting") == 0)
        assert [one.pid for one in workers(server)] == [worker.pid]


def test_added_worker_that_dies_is_replaced(start: Callable[..., Server], gate: Gate) -> None:
    server = start("--workers", "1:2", *LATER, models=TOLD)
    with server.client() as client:
        with calls(client, gate, 2):
            gate.wait(2)
            gate.open()
        old = {one.pid for one in workers(server)}
        assert len(old) == 2
        for one in workers(server):
            one.kill()
        wait_until(lambda: len({one.pid for one in workers(server)} - old) == 2)
        wait_until(lambda: measured(client, "workers", state="idle") == 2)
        with calls(client, gate, 2):
            gate.wait(2)
            gate.open()


def test_reload_while_starting(start: Callable[..., Server], gate: Gate) -> None:
    """A reload cancels the start of an additional worker; calls do not wait for it."""
    server = start("--workers", "1:2", *LATER, models=SLOW)
    with server.client() as client, ThreadPoolExecutor(3) as threads:
        (old,) = workers(server)
        (server.cwd / "port").write_text(str(gate.port))
        old.suspend()
        answers = [threads.submit(predict, client, "slow") for _ in range(2)]
        gate.wait()  # an additional worker is warming
        (server.cwd / "port").unlink()
        old.resume()
        assert [one.result(AT_ONCE_S).status_code for one in answers] == [200] * 2
        assert client.post("/v2/models/slow/reload").json() == {"workers": 1}
        wait_until(lambda: len(workers(server)) == 1)
        assert workers(server)[0].pid != old.pid
        assert predict(client, "slow").status_code == 200


def test_exclusive_training_while_scaled(start: Callable[..., Server], gate: Gate) -> None:
    """An exclusive training stops all workers; afterwards the minimum is started."""
    server = start("--workers", "1:2", *LATER, "--train-mode", "exclusive", models=TOLD)
    with server.client() as client:
        with calls(client, gate, 2):
            gate.wait(2)
            gate.open()
        assert client.post("/v2/models/told/reload").json() == {"workers": 2}
        assert client.post("/v2/models/told/train/", json={"port": gate.port}).status_code == 200
        gate.wait()
        assert workers(server) == []
        gate.open()
        wait_until(lambda: predict(client, "told", json={}).status_code == 200)
        assert len(workers(server)) == 1
        with calls(client, gate, 2):
            gate.wait(2)
            gate.open()


def test_added_workers_serve(start: Callable[..., Server]) -> None:
    """Additional workers take part in serving."""
    server = start("--workers", "1:3", *LATER, models=TOLD)
    with server.client() as client, ThreadPoolExecutor(4) as threads:

        def pid(_: int) -> Any:
            return predicted(client, "told", json={"spin_s": 0.3})["pid"]

        wait_until(lambda: len(set(threads.map(pid, range(8)))) == 3)
