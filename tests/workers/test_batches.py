"""Predictions that are made together: which are, and what a bad one does to its neighbours."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from serving import Gate, Server, predict, predicted, serving, until
from support.machine import timeout_s

pytestmark = pytest.mark.every_engine
MODELS = {"batches": "models.batches", "alone": "models.batches:Alone"}
CALLS = 8
LIMIT_S = timeout_s(2)


@pytest.fixture(scope="module")
def served(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server that makes as many predictions at once as wait."""
    with serving(tmp_path_factory.mktemp("served"), models=MODELS) as server:
        yield server


def together(
    server: Server, gate: Gate, faults: dict[int, str], model: str = "batches"
) -> list[httpx.Response]:
    """Return the answers to calls that wait until the one worker is free; the first has made it busy."""
    with server.client() as client, ThreadPoolExecutor(CALLS + 1) as threads:

        def call(number: int, **arguments: Any) -> Future[httpx.Response]:
            return threads.submit(predict, client, model, json={"number": number} | arguments)

        first = call(-1, port=gate.port)
        gate.wait()
        calls = [call(number, fault=faults.get(number, "")) for number in range(CALLS)]
        waiting = f'deepaas_queue_length{{model="{model}"}} {float(CALLS)}'
        until(lambda: waiting in client.get("/metrics").text)
        gate.open()
        assert first.result().status_code == 200
        return [one.result() for one in calls]


def content(response: httpx.Response) -> Any:
    """Return what was predicted."""
    assert response.status_code == 200, response.text
    return json.loads(response.json()["predictions"])


@pytest.mark.parametrize("model", MODELS)
def test_together(served: Server, gate: Gate, model: str) -> None:
    """All calls that wait are made at once, and each gets its own answer."""
    answers = together(served, gate, {}, model)
    assert [content(one) for one in answers] == [
        {"number": number, "together": CALLS} for number in range(CALLS)
    ]


@pytest.mark.parametrize("model", MODELS)
def test_one_at_a_time(served: Server, model: str) -> None:
    """A call that comes alone is made alone, at once, whether or not the model has a `predict`."""
    with served.client() as client:
        assert predicted(client, model, json={"number": 5}) == {"number": 5, "together": 1}


@pytest.mark.parametrize(
    ("fault", "status", "says"),
    [
        ("raise", 500, "ValueError: number 3 is bad"),
        ("return", 500, "LookupError: no 3"),
        ("die", 500, "was killed by SIGKILL"),
    ],
)
def test_one_bad_call(served: Server, gate: Gate, fault: str, status: int, says: str) -> None:
    """A call that fails, or that its worker dies with, fails alone; its neighbours get their answers."""
    answers = together(served, gate, {3: fault})
    assert (answers[3].status_code, says in answers[3].text) == (status, True), answers[3].text
    assert [content(one)["number"] for one in answers if one is not answers[3]] == [0, 1, 2, 4, 5, 6, 7]


@pytest.mark.slow
def test_time_of_each(start: Callable[..., Server], gate: Gate) -> None:
    """Calls that are run alone after all, because of a bad one, have a time limit each, not all together."""
    server = start("--predict-timeout", str(LIMIT_S), models=MODELS)
    answers = together(server, gate, dict.fromkeys(range(5), f"sleep {0.3 * LIMIT_S}") | {5: "raise"})
    assert [one.status_code for one in answers] == [200] * 5 + [500] + [200] * 2
    assert "was killed (timeout)" not in server.log


def test_wrong_number_of_results(served: Server, gate: Gate) -> None:
    """A `predict_batch` that forgets some is told so in the log; each call is made alone."""
    answers = together(served, gate, {3: "short"})
    assert [content(one)["together"] for one in answers] == [1] * CALLS
    served.output.wait_for(rf"predict_batch\(\) returned 0 results for {CALLS} calls")


@pytest.mark.slow
def test_hanging_call(start: Callable[..., Server], gate: Gate) -> None:
    """A call that takes too long among others fails alone, when it has been tried alone."""
    server = start("--predict-timeout", str(LIMIT_S), models=MODELS)
    answers = together(server, gate, {3: "hang"})
    assert answers[3].status_code == 504
    assert [content(one)["number"] for one in answers if one is not answers[3]] == [0, 1, 2, 4, 5, 6, 7]


@pytest.mark.parametrize(("size", "expected"), [(3, [3, 3, 3, 3, 3, 3, 2, 2]), (1, [1] * CALLS)])
def test_max_batch_size(start: Callable[..., Server], gate: Gate, size: int, expected: list[int]) -> None:
    """No more than `--max-batch-size` calls are made at once, in the order in which they came."""
    server = start("--max-batch-size", str(size), models=MODELS)
    answers = together(server, gate, {})
    assert sorted(content(one)["together"] for one in answers) == sorted(expected)


def test_batch_timeout(start: Callable[..., Server]) -> None:
    """With `--batch-timeout`, a call waits for others while its worker is free, until there are enough."""
    server = start("--max-batch-size", "4", "--batch-timeout", "60", models=MODELS)
    with server.client() as client, ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(predicted, client, "batches", json={"number": number}) for number in range(4)]
        assert {call.result()["together"] for call in calls} == {4}


def test_batch_timeout_is_over(start: Callable[..., Server]) -> None:
    """With `--batch-timeout`, a call for which no other comes is made when the time is over."""
    server = start("--batch-timeout", "0.2", models=MODELS)
    with server.client() as client:
        assert predicted(client, "batches", json={"number": 5}) == {"number": 5, "together": 1}


def test_no_stream(served: Server, gate: Gate) -> None:
    """What is made together is no stream: the call that it is for fails, its neighbours do not."""
    answers = together(served, gate, {2: "stream"})
    assert answers[2].status_code == 500
    assert "Only predict() can stream" in answers[2].json()["message"]
    assert [content(one)["number"] for one in answers if one is not answers[2]] == [0, 1, 3, 4, 5, 6, 7]


def test_no_stream_when_alone(served: Server) -> None:
    """Nor is it when the call happens to be alone."""
    with served.client() as client:
        response = predict(client, "alone", json={"number": 1, "fault": "stream"})
    assert response.status_code == 500
    assert "Only predict() can stream" in response.json()["message"]
