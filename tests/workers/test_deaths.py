"""Workers that die and are replaced, as clients see it."""

import json
import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import pytest

from support.server import Gate, Server, predict, predicted, wait_until

pytestmark = pytest.mark.every_engine
SERVED = ["only_predict", "waiting"]

DEATHS = ["SIGSEGV", "SIGKILL", "SIGABRT", "SIGTERM", "code 3", "code 0"]
WAITING = {"waiting": "models.waiting"}


def call(client: httpx.Client, **arguments: Any) -> httpx.Response:
    """Call the waiting model."""
    return predict(client, "waiting", json=arguments)


def number(answer: httpx.Response) -> int:
    """Return the number in a response, which is the one sent."""
    assert answer.status_code == 200, answer.text
    return int(json.loads(answer.json()["predictions"])["number"])


@pytest.mark.parametrize("end", DEATHS)
def test_death_of_a_worker(client: httpx.Client, end: str) -> None:
    """The running call fails immediately with the signal or exit code; the next call succeeds."""
    response = call(client, end=end)
    assert response.status_code == 500
    assert end in response.json()["message"]
    assert number(call(client, number=1)) == 1


@pytest.mark.parametrize("end", ["SIGSEGV", "code 3"])
def test_calls_behind_a_death_succeed(client: httpx.Client, gate: Gate, end: str) -> None:
    """Calls queued behind one that kills the worker succeed in a new worker."""
    with ThreadPoolExecutor(6) as threads:
        poison = threads.submit(call, client, port=gate.port, end=end)
        gate.wait()
        behind = [threads.submit(call, client, number=index) for index in range(5)]
        gate.open()
        assert poison.result().status_code == 500
        assert [number(one.result()) for one in behind] == list(range(5))


def test_only_the_call_that_kills_the_worker_fails(client: httpx.Client) -> None:
    calls: list[dict[str, Any]] = [{"number": index} for index in range(30)]
    calls[13] = {"end": "SIGKILL"}
    with ThreadPoolExecutor(30) as threads:
        answers = list(threads.map(lambda arguments: call(client, **arguments), calls))
    failed = [index for index, answer in enumerate(answers) if answer.status_code != 200]
    assert failed == [13]
    assert [number(answer) for answer in answers if answer.status_code == 200] == [
        index for index in range(30) if index != 13
    ]


def test_one_at_a_time(client: httpx.Client, gate: Gate) -> None:
    """A worker runs one call at a time; the next one waits."""
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(call, client, port=gate.port, number=1)
        gate.wait()
        second = threads.submit(call, client, number=2)
        assert not second.done()
        assert client.get("/v2/models/waiting/").status_code == 200
        assert predicted(client, "only_predict") == {}
        gate.open()
        assert [number(first.result()), number(second.result())] == [1, 2]


def test_several_workers(start: Callable[..., Server], gate: Gate) -> None:
    """Workers run calls concurrently; when one dies, the other keeps running."""
    server = start("--workers", "2", models=WAITING)
    with server.client() as client, ThreadPoolExecutor(3) as threads:
        both = [threads.submit(call, client, port=gate.port, number=index) for index in range(2)]
        gate.wait(2)
        gate.open()
        answers = [json.loads(one.result().json()["predictions"]) for one in both]
        assert len({answer["pid"] for answer in answers}) == 2
        kept: Future[httpx.Response] = threads.submit(call, client, port=gate.port, number=5)
        gate.wait()
        assert call(client, end="SIGKILL").status_code == 500
        assert number(call(client, number=7)) == 7
        gate.open()
        assert number(kept.result()) == 5


def test_worker_killed_while_idle_fails_no_call(start: Callable[..., Server]) -> None:
    server = start(models=WAITING)
    with server.client() as client:
        pid = predicted(client, "waiting")["pid"]
        psutil.Process(pid).kill()
        server.output.wait_for(r"WARNING \S+ .*SIGKILL")
        assert predicted(client, "waiting")["pid"] != pid


def test_dead_worker_is_reaped(client: httpx.Client, server: Server) -> None:
    call(client, end="SIGKILL")
    assert number(call(client)) == 0
    wait_until(lambda: all(process.status() != psutil.STATUS_ZOMBIE for process in server.family()))


def test_model_that_stays_broken(start: Callable[..., Server], gate: Gate) -> None:
    """If no worker can be started, calls fail with 503 and the cause, and succeed again later."""
    server = start(models={"warm_once": "models.faulty.warm_once"})
    with server.client() as client:
        assert predict(client, "warm_once", params={"die": True}).status_code == 500
        response = predict(client, "warm_once")
        assert response.status_code == 503
        assert "no device left" in response.json()["message"]
        server.output.wait_for(r"Traceback (?s:.)*RuntimeError: no device left")
        (server.cwd / "broken").unlink()
        answer = wait_until(lambda: [one for one in [predict(client, "warm_once")] if one.status_code == 200])
        assert answer[0].json()["predictions"] == "alive"


def test_death_is_logged(client: httpx.Client, server: Server) -> None:
    call(client, end="SIGSEGV")
    line = r"WARNING \S+ \[\S+\] Worker 1 of 'waiting' \(pid \d+\) exited: SIGSEGV; restarting\n"
    assert re.search(line, server.log)
