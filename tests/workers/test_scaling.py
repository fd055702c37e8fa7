"""Workers that come while calls wait, and go when they have nothing to do."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deepaas.config.settings import WorkerRange
from deepaas.metrics import Metrics
from deepaas.workers.autoscaler import Autoscaler
from deepaas.workers.call_queue import CallQueue, ServiceTimeEstimate
from deepaas.workers.pool_config import PoolConfig
from deepaas.workers.supervisor import WorkerSupervisor
from faults.calls import is_worker
from serving import AT_ONCE_S, CALL_S, Gate, Server, predict, predicted, serving, until

pytestmark = pytest.mark.slow
TOLD = {"told": "models_faults.told"}
SLOW = {"slow": "models_faults.slow_to_warm"}
LATER = ("--scale-down-after", "600")
SOON = ("--scale-down-after", "0.3")


def measured(client: httpx.Client, name: str, **labels: str) -> float:
    """Return a figure from /metrics; 0 when it is not there."""
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            if sample.name == f"deepaas_{name}" and labels.items() <= sample.labels.items():
                return float(sample.value)
    return 0.0


def workers(server: Server) -> list[psutil.Process]:
    """Return the worker processes."""
    return [one for one in server.family()[1:] if is_worker(one)]


@contextlib.contextmanager
def calls(client: httpx.Client, gate: Gate, count: int) -> Iterator[list[Future[httpx.Response]]]:
    """Make calls that wait in the model until the gate opens, and see that all are answered."""
    with ThreadPoolExecutor(count) as threads:
        made = [threads.submit(predict, client, "told", json={"port": gate.port}) for _ in range(count)]
        yield made
        assert [one.result().status_code for one in made] == [200] * count


def let_through(gate: Gate, count: int) -> None:
    """Let calls go on one by one."""
    for _ in range(count):
        gate.wait()
        gate.open()


class Idle:
    """A worker that has nothing to do."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.in_flight: dict[int, Any] = {}
        self.head_started_at = 0.0


class IdlePlaces:
    """Places of such workers."""

    def __init__(self, names: str) -> None:
        self.idle = [Idle(name) for name in names]
        self.is_alone = asyncio.Event()

    def __len__(self) -> int:
        return len(self.idle)

    def list_ready_workers(self) -> list[Idle]:
        """Return all."""
        return list(self.idle)

    def remove_worker(self, worker: Idle) -> None:
        """Let one go."""
        self.idle.remove(worker)
        if len(self.idle) == 1:
            self.is_alone.set()

    def drop_dead(self) -> None:
        """Do nothing: there is none."""


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server of one to three workers that ends idle ones soon."""
    with serving(tmp_path_factory.mktemp("scaled"), "--workers", "1:3", *SOON, models=TOLD) as server:
        yield server


def test_up_and_down(scaled: Server, gate: Gate) -> None:
    """As many calls run at once as there may be workers, no more; when they are idle, the least is left."""
    with scaled.client() as client:
        until(lambda: len(workers(scaled)) == 1)
        with calls(client, gate, 5):
            gate.wait(3)  # three run at once, though there was one worker
            assert measured(client, "queue_length") == 2
            assert measured(client, "workers", state="busy") == 3
            three = {one.pid for one in workers(scaled)}
            assert len(three) == 3
            assert client.get("/health/ready").status_code == 200
            gate.open()
            let_through(gate, 2)
        until(lambda: len(workers(scaled)) == 1)
        assert workers(scaled)[0].pid in three
        assert measured(client, "workers", state="idle") == 1
        assert measured(client, "worker_scale_events_total", direction="up") == 2
        assert measured(client, "worker_scale_events_total", direction="down") == 2
        assert measured(client, "worker_restarts_total") == 0


def test_busy_workers_stay(scaled: Server, gate: Gate) -> None:
    """Workers that have something to do stay, when others do not."""
    with scaled.client() as client, calls(client, gate, 2):
        gate.wait(2)
        busy = {one.pid for one in workers(scaled)}
        with calls(client, other := Gate(), 1), other:
            other.wait()  # a third has come
            other.open()
        until(lambda: len(workers(scaled)) == 2)
        assert {one.pid for one in workers(scaled)} == busy
        gate.open()


def test_the_first_stays() -> None:
    """Of workers that have been idle for as long, those in the last places go: calls go to the first."""

    async def work() -> list[str]:
        places = IdlePlaces("abc")
        limits = PoolConfig(WorkerRange(1, 3), 0.1, 1, 0, 0, 0, 1000, cancel_on_disconnect=False)
        metrics = Metrics().create_pool_metrics("told")
        scaling = Autoscaler(
            cast(WorkerSupervisor, places), CallQueue(1, 0), ServiceTimeEstimate(1), limits, metrics
        )
        async with scaling.pause():
            pass  # when it is let go, it looks for those that have nothing to do
        async with asyncio.timeout(CALL_S):
            await places.is_alone.wait()
        return [worker.name for worker in places.idle]

    assert asyncio.run(work()) == ["a"]


def test_no_more_than_needed(scaled: Server, gate: Gate) -> None:
    """For one call that waits, one worker is started."""
    with scaled.client() as client:
        until(lambda: len(workers(scaled)) == 1)
        before = measured(client, "worker_scale_events_total", direction="up")
        with calls(client, gate, 2):
            gate.wait(2)
            gate.open()
        assert measured(client, "worker_scale_events_total", direction="up") == before + 1


@pytest.mark.parametrize("given", ["2", "2:2"])
def test_equal_pair(start: Callable[..., Server], gate: Gate, given: str) -> None:
    """A pair of equal numbers is that number: there are never more."""
    server = start("--workers", given, models=TOLD)
    with server.client() as client, calls(client, gate, 3):
        gate.wait(2)
        until(lambda: measured(client, "queue_oldest_seconds", model="told") > 0.5)
        assert len(workers(server)) == 2
        gate.open()
        let_through(gate, 1)


def test_start_that_fails(start: Callable[..., Server], gate: Gate) -> None:
    """When one more cannot be warmed, those there are go on, the log says why, and pauses grow."""
    server = start("--workers", "1:3", *LATER, models={"dying": "models_faults.dies_warming"})
    with server.client() as client, ThreadPoolExecutor(2) as threads:
        (server.cwd / "order").write_text("SIGABRT")
        (worker,) = workers(server)
        worker.suspend()
        waiting = [threads.submit(predict, client, "dying", json={}) for _ in range(2)]
        server.output.wait_for(r"One more worker was wanted\. .*SIGABRT.* Not again before 1 s")
        server.output.wait_for("Not again before 2 s")
        assert workers(server)[0].pid == worker.pid
        (server.cwd / "order").unlink()
        worker.resume()
        assert [one.result(AT_ONCE_S).status_code for one in waiting] == [200] * 2
        assert client.get("/health/ready").status_code == 200


def test_killed_while_scaled(start: Callable[..., Server], gate: Gate) -> None:
    """A worker that was started for the queue and dies is replaced like any other."""
    server = start("--workers", "1:2", *LATER, models=TOLD)
    with server.client() as client:
        with calls(client, gate, 2):
            gate.wait(2)
            gate.open()
        old = {one.pid for one in workers(server)}
        assert len(old) == 2
        for one in workers(server):
            one.kill()
        until(lambda: len({one.pid for one in workers(server)} - old) == 2)
        until(lambda: measured(client, "workers", state="idle") == 2)
        with calls(client, gate, 2):
            gate.wait(2)
            gate.open()


def test_reload_while_starting(start: Callable[..., Server], gate: Gate) -> None:
    """A reload gives up a worker that was starting with what was there before; calls wait for nothing."""
    server = start("--workers", "1:2", *LATER, models=SLOW)
    with server.client() as client, ThreadPoolExecutor(3) as threads:
        (old,) = workers(server)
        (server.cwd / "port").write_text(str(gate.port))
        old.suspend()
        answers = [threads.submit(predict, client, "slow") for _ in range(2)]
        gate.wait()  # one more is warming
        (server.cwd / "port").unlink()
        old.resume()
        assert [one.result(AT_ONCE_S).status_code for one in answers] == [200] * 2
        assert client.post("/v2/models/slow/reload").json() == {"workers": 1}
        until(lambda: len(workers(server)) == 1)
        assert workers(server)[0].pid != old.pid
        assert predict(client, "slow").status_code == 200


def test_exclusive_training_while_scaled(start: Callable[..., Server], gate: Gate) -> None:
    """An exclusive training stops all workers, and after it there are as many as at the start."""
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
        until(lambda: predict(client, "told", json={}).status_code == 200)
        assert len(workers(server)) == 1
        with calls(client, gate, 2):
            gate.wait(2)
            gate.open()


def test_more_is_done(start: Callable[..., Server]) -> None:
    """With more workers for them, the same calls that take their time are answered by more processes."""
    server = start("--workers", "1:3", *LATER, models=TOLD)
    with server.client() as client, ThreadPoolExecutor(4) as threads:

        def pid(_: int) -> Any:
            return predicted(client, "told", json={"spin_s": 0.3})["pid"]

        until(lambda: len(set(threads.map(pid, range(8)))) == 3)
