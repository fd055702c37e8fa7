"""Batches: which calls they contain, and what a failing call does to the others."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from support.machine import timeout_s
from support.server import Gate, Server, predict, predicted, serving, wait_until

pytestmark = pytest.mark.every_engine
MODELS = {"batches": "models.batches", "alone": "models.batches:Alone"}
CALLS = 8
LIMIT_S = timeout_s(2)


@pytest.fixture(scope="module")
def served(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server with the default batch size."""
    with serving(tmp_path_factory.mktemp("served"), models=MODELS) as server:
        yield server


def together(
    server: Server, gate: Gate, faults: dict[int, str], model: str = "batches"
) -> list[httpx.Response]:
    """Queue `CALLS` calls while the only worker is busy; return their responses."""
    with server.client() as client, ThreadPoolExecutor(CALLS + 1) as threads:

        def call(number: int, **arguments: Any) -> Future[httpx.Response]:
            return threads.submit(predict, client, model, json={"number": number} | arguments)

        first = call(-1, port=gate.port)
        gate.wait()
        calls = [call(number, fault=faults.get(number, "")) for number in range(CALLS)]
        waiting = f'deepaas_queue_length{{model="{model}"}} {float(CALLS)}'
        wait_until(lambda: waiting in client.get("/metrics").text)
        gate.open()
        assert first.result().status_code == 200
        return [one.result() for one in calls]


def content(response: httpx.Response) -> Any:
    """Return the prediction."""
    assert response.status_code == 200, response.text
    return json.loads(response.json()["predictions"])


@pytest.mark.parametrize("model", MODELS)
def test_queued_calls_run_in_one_batch(served: Server, gate: Gate, model: str) -> None:
    """All queued calls run in one batch, and each gets its own result."""
    answers = together(served, gate, {}, model)
    assert [content(one) for one in answers] == [
        {"number": number, "together": CALLS} for number in range(CALLS)
    ]


@pytest.mark.parametrize("model", MODELS)
def test_one_at_a_time(served: Server, model: str) -> None:
    """A single call runs immediately, whether or not the model has a `predict`."""
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
    """A call that fails or kills its worker affects no other call of its batch."""
    answers = together(served, gate, {3: fault})
    assert (answers[3].status_code, says in answers[3].text) == (status, True), answers[3].text
    assert [content(one)["number"] for one in answers if one is not answers[3]] == [0, 1, 2, 4, 5, 6, 7]


@pytest.mark.slow
def test_time_of_each(start: Callable[..., Server], gate: Gate) -> None:
    """Calls that are retried individually have a timeout each, not one together."""
    server = start("--predict-timeout", str(LIMIT_S), models=MODELS)
    answers = together(server, gate, dict.fromkeys(range(5), f"sleep {0.3 * LIMIT_S}") | {5: "raise"})
    assert [one.status_code for one in answers] == [200] * 5 + [500] + [200] * 2
    assert "killed (timeout)" not in server.log


def test_wrong_number_of_results(served: Server, gate: Gate) -> None:
    """If `predict_batch` returns too few results, the log says so and each call runs individually."""
    answers = together(served, gate, {3: "short"})
    assert [content(one)["together"] for one in answers] == [1] * CALLS
    served.output.wait_for(rf"predict_batch\(\) returned 0 results for {CALLS} calls")


@pytest.mark.slow
def test_hanging_call(start: Callable[..., Server], gate: Gate) -> None:
    """Of a batch, only the call that exceeds the timeout fails, after it was retried individually."""
    server = start("--predict-timeout", str(LIMIT_S), models=MODELS)
    answers = together(server, gate, {3: "hang"})
    assert answers[3].status_code == 504
    assert [content(one)["number"] for one in answers if one is not answers[3]] == [0, 1, 2, 4, 5, 6, 7]


@pytest.mark.parametrize(("size", "expected"), [(3, [3, 3, 3, 3, 3, 3, 2, 2]), (1, [1] * CALLS)])
def test_max_batch_size(start: Callable[..., Server], gate: Gate, size: int, expected: list[int]) -> None:
    """A batch has at most --max-batch-size calls."""
    server = start("--max-batch-size", str(size), models=MODELS)
    answers = together(server, gate, {})
    assert sorted(content(one)["together"] for one in answers) == sorted(expected)


def test_batch_timeout(start: Callable[..., Server]) -> None:
    """With --batch-timeout, a free worker waits until the batch is full."""
    server = start("--max-batch-size", "4", "--batch-timeout", "60", models=MODELS)
    with server.client() as client, ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(predicted, client, "batches", json={"number": number}) for number in range(4)]
        assert {call.result()["together"] for call in calls} == {4}


def test_incomplete_batch_runs_after_the_timeout(start: Callable[..., Server]) -> None:
    """With --batch-timeout, an incomplete batch runs after that time."""
    server = start("--batch-timeout", "0.2", models=MODELS)
    with server.client() as client:
        assert predicted(client, "batches", json={"number": 5}) == {"number": 5, "together": 1}


def test_no_stream(served: Server, gate: Gate) -> None:
    """A result of predict_batch cannot be a stream: its call fails, the others succeed."""
    answers = together(served, gate, {2: "stream"})
    assert answers[2].status_code == 500
    assert "Only predict() can stream" in answers[2].json()["message"]
    assert [content(one)["number"] for one in answers if one is not answers[2]] == [0, 1, 3, 4, 5, 6, 7]


def test_no_stream_when_alone(served: Server) -> None:
    """Same for a batch of one call."""
    with served.client() as client:
        response = predict(client, "alone", json={"number": 1, "fault": "stream"})
    assert response.status_code == 500
    assert "Only predict() can stream" in response.json()["message"]
