"""Short and long calls on the same workers. The server pipelines calls to a worker if they are short."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from support.machine import timeout_s
from support.server import CALL_S, Gate, Server, predict, predicted, wait_until

pytestmark = pytest.mark.slow
MODELS = {"told": "models.faults.scripted"}
SHORT_CALLS = 300


def call(client: httpx.Client, **arguments: Any) -> httpx.Response:
    """Call the scripted model."""
    return predict(client, "told", json=arguments)


def make_calls_short(client: httpx.Client) -> None:
    """Make enough calls for the server to measure that they are short."""
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: predicted(client, "told", json={}), range(SHORT_CALLS)))


def burst(server: Server, calls: list[dict[str, Any]]) -> list[Future[httpx.Response]]:
    """Send all calls at the same moment, each over its own connection."""
    starting = threading.Barrier(len(calls))
    threads = ThreadPoolExecutor(len(calls))

    def send(arguments: dict[str, Any]) -> httpx.Response:
        with server.client() as client:
            client.get("/v2/")
            starting.wait()
            return call(client, **arguments)

    sent = [threads.submit(send, arguments) for arguments in calls]
    threads.shutdown(wait=False)
    return sent


@pytest.fixture(params=["1", "2"])
def told(request: pytest.FixtureRequest, start: Callable[..., Server]) -> Iterator[Server]:
    """Yield a server, with one worker and with two, that has measured that calls are short."""
    server = start("--workers", request.param, "--predict-timeout", str(timeout_s(10)), models=MODELS)
    with server.client() as client:
        make_calls_short(client)
    return server


def test_short_beside_long(start: Callable[..., Server], gate: Gate) -> None:
    """While one worker runs a long call, the other answers all short calls sent at the same moment."""
    server = start("--workers", "2", models=MODELS)
    with server.client() as client:
        make_calls_short(client)
    for _ in range(5):
        calls: list[dict[str, Any]] = [{"number": number} for number in range(24)]
        calls[12] = {"number": 12, "port": gate.port}
        sent = burst(server, calls)
        gate.wait()
        wait_until(lambda sent=sent: sum(one.done() for one in sent) >= 23)
        gate.open()
        assert [one.result().status_code for one in sent] == [200] * 24


def test_right_one_times_out(start: Callable[..., Server], gate: Gate) -> None:
    """Of 24 calls sent together, only the one that exceeds the timeout fails."""
    server = start("--predict-timeout", str(timeout_s(2)), models=MODELS)
    with server.client() as client:
        make_calls_short(client)
    for _ in range(3):
        calls: list[dict[str, Any]] = [{"number": number} for number in range(24)]
        calls[12] = {"number": 12, "port": gate.port}
        sent = burst(server, calls)
        gate.wait()
        statuses = [one.result().status_code for one in sent]
        assert statuses[12] == 504
        assert statuses[:12] + statuses[13:] == [200] * 23
        gate.open()


def test_dropped_behind_a_long_call(start: Callable[..., Server], gate: Gate) -> None:
    """A pipelined call behind a long one never runs if its client disconnects."""
    server = start(models=MODELS)
    with server.client() as client:
        make_calls_short(client)
        with ThreadPoolExecutor(6) as threads:
            long = threads.submit(call, client, port=gate.port)
            gate.wait()
            for number in range(5):
                threads.submit(leave_early, server, f"left {number}")
            wait_until(lambda: queue_length(client) == 5)
            wait_until(lambda: queue_length(client) == 0)
            gate.open()
            assert long.result().status_code == 200
        assert call(client, note="stayed").status_code == 200
    assert (server.cwd / "notes").read_text().split("\n") == ["stayed", ""]


def leave_early(server: Server, note: str) -> None:
    """Make a call, and disconnect before it can be answered."""
    with server.client() as client, pytest.raises(httpx.ReadTimeout):
        predict(client, "told", json={"note": note}, timeout=httpx.Timeout(CALL_S, read=timeout_s(3)))


def queue_length(client: httpx.Client) -> int:
    """Return the number of queued calls according to /metrics."""
    text = client.get("/metrics").text
    return int(float(text.partition('deepaas_queue_length{model="told"} ')[2].partition("\n")[0]))
