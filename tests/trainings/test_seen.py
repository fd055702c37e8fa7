"""Log, progress and metrics of a training while it runs."""

import threading
from typing import Any

import httpx
import pytest

import deepaas
from support.machine import limit_s
from support.server import CALL_S, Gate, wait_until
from support.trainings import begin, comes, ended, look, path_of

pytestmark = pytest.mark.slow
KERAS = "Epoch 1/2\n 50/100 [=======>......] - ETA: 5s - loss: 1.0\r"


def log(client: httpx.Client, record: dict[str, Any], **query: Any) -> str:
    response = client.get(path_of(record, "/log"), params=query)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    return response.text


def test_log(http: httpx.Client, gate: Gate) -> None:
    """The log has standard output and error as soon as the training prints, and keeps them."""
    record = begin(http, ["print", "to the output ü"], ["write", "to the errors\n"], ["wait", gate.port])
    gate.wait()
    wait_until(lambda: "to the output ü\nto the errors\n" in log(http, record))
    gate.open()
    ended(http, record)
    assert "to the output ü\nto the errors\n" in log(http, record)


@pytest.mark.parametrize(("tail", "expected"), [("0", ""), ("1", "c\n"), ("2", "b\nc\n"), ("99999999", None)])
def test_tail(http: httpx.Client, tail: str, expected: str | None) -> None:
    record = begin(http, ["print", "a"], ["print", "b"], ["print", "c"])
    ended(http, record)
    assert log(http, record, tail=tail) == (log(http, record) if expected is None else expected)


@pytest.mark.parametrize("query", ["tail=-1", "tail=some", "follow=perhaps"])
def test_bad_query(http: httpx.Client, query: str) -> None:
    """An invalid number or boolean is a 400 that names the parameter."""
    record = ended(http, begin(http, ["return", 1]))
    response = http.get(path_of(record, f"/log?{query}"))
    assert response.status_code == 400
    assert query.partition("=")[0] in response.json()["message"]


@pytest.mark.parametrize(("query", "begins"), [({}, "first\n"), ({"tail": 1}, "second\n")])
def test_follow(http: httpx.Client, gate: Gate, query: dict[str, Any], begins: str) -> None:
    """`?follow=true` streams the existing log, then new output, until the training finishes."""
    record = begin(http, ["print", "first"], ["print", "second"], ["wait", gate.port], ["print", "third"])
    gate.wait()
    wait_until(lambda: "second" in log(http, record))
    params = {"follow": "true", **query}
    with http.stream("GET", path_of(record, "/log"), params=params) as response:
        chunks = response.iter_text()
        seen = next(chunks)
        assert seen.startswith(begins)
        assert "third" not in seen
        gate.open()
        assert (seen + "".join(chunks)).endswith("third\n")
    assert ended(http, record)["state"] == "done"


@pytest.mark.parametrize(("query", "shown"), [({}, "a\n100%\nc\n"), ({"tail": 2}, "100%\nc\n")])
def test_follow_lines(http: httpx.Client, query: dict[str, Any], shown: str) -> None:
    """A followed log has lines as the event stream has them: a redrawn bar in its last state only."""
    record = begin(http, ["write", "a\n"], ["write", " 10%\r100%\n"], ["report", {"loss": 1}], ["write", "c"])
    if "tail" in query:
        ended(http, record)
    assert log(http, record, follow="true", **query) == shown


@pytest.mark.parametrize("query", [{}, {"tail": 3}])
def test_follow_a_queued_one(http: httpx.Client, gate: Gate, query: dict[str, Any]) -> None:
    """A log can be followed before it exists."""
    first = [begin(http, ["wait", gate.port]) for _ in range(2)]
    gate.wait(2)
    queued = begin(http, ["print", "at last"])
    with http.stream("GET", path_of(queued, "/log"), params={"follow": "true", **query}) as response:
        assert response.status_code == 200
        gate.open()
        assert response.read().decode().endswith("at last\n")
    assert [ended(http, one)["state"] for one in first] == ["done", "done"]


@pytest.mark.parametrize(
    ("text", "progress"),
    [
        ("Epoch 3/10\n", 0.2),
        ("epoch 3/10 loss=0.5\n", 0.3),
        (KERAS, 0.25),
        ("\r 70%|███████   | 7/10 [00:07<00:03,  1.00s/it]\r", 0.7),
    ],
)
def test_progress_of_unchanged_code(http: httpx.Client, gate: Gate, text: str, progress: float) -> None:
    """Output of unmodified code becomes progress; a single poll gives no pace, so no remaining time."""
    record = begin(http, ["write", text], ["wait", gate.port])
    gate.wait()
    now = comes(http, record, lambda now: now.get("progress"))
    assert now["progress"] == pytest.approx(progress)
    assert "eta_s" not in now
    gate.open()
    assert "eta_s" not in ended(http, record)


def test_tqdm(http: httpx.Client, gate: Gate) -> None:
    record = begin(http, ["bar", gate.port])
    gate.wait()
    comes(http, record, lambda now: now.get("progress") == 0.5)
    gate.open()
    assert ended(http, record)["progress"] == 1


@pytest.mark.parametrize("first", [1, 901])
def test_time_left(http: httpx.Client, gate: Gate, first: int) -> None:
    """The remaining time uses the pace since the first report, not since the training's start or step 0."""
    total = first + 99
    steps = [
        step
        for number in range(first, first + 5)
        for step in (["sleep", 0.2], ["report", {"step": number, "total": total}])
    ]
    record = begin(http, ["sleep", 3], *steps, ["wait", gate.port])
    gate.wait()
    now = comes(http, record, lambda now: now.get("progress") == pytest.approx((first + 4) / total))
    history = http.get(path_of(record, "/metrics")).json()
    pace_s = (history[-1]["time"] - history[0]["time"]) / 4
    right_s = pace_s * 95
    assert right_s - limit_s(10) < now["eta_s"] <= right_s + 1
    gate.open()


def test_progress_taken_back(http: httpx.Client, gate: Gate) -> None:
    """Progress that turns out to measure something else is withdrawn, with the remaining time."""
    bars = [f"\r{percent}%|###  | {percent // 10}/10 [00:01<00:02,  3.00it/s]" for percent in (10, 100)]
    record = begin(
        http,
        *(["write", bar] for bar in bars),
        ["wait", gate.port],
        ["write", bars[0].replace("/10", "/7")],
        ["wait", gate.port],
    )
    gate.wait()
    comes(http, record, lambda now: now.get("progress") == 1)
    gate.open()
    gate.wait()
    comes(http, record, lambda now: "progress" not in now and "eta_s" not in now)
    gate.open()


def test_python_that_the_model_starts(http: httpx.Client, gate: Gate) -> None:
    """Output of another Python process is visible when printed, not when that process exits."""
    waits = f"import socket; socket.create_connection(('127.0.0.1', {gate.port})).recv(1)"
    record = begin(http, ["python", f"print('Epoch 2/10'); {waits}"])
    gate.wait()
    comes(http, record, lambda now: now.get("progress") == 0.1)
    assert http.get(path_of(record, "/log")).text.endswith("Epoch 2/10\n")
    gate.open()
    assert ended(http, record)["state"] == "done"


def test_report(http: httpx.Client, gate: Gate) -> None:
    """Reports are exact: latest values in the record, all values in the history, and no parsed output."""
    record = begin(
        http,
        ["report", {"step": 1, "total": 3, "loss": 0.5}],
        ["report", {"acc": 0.25}],
        ["print", "epoch 9/10 loss=7"],
        ["report", {"step": 2, "total": 3, "loss": 0.25}],
        ["wait", gate.port],
    )
    gate.wait()
    now = comes(http, record, lambda now: now.get("progress") == pytest.approx(2 / 3))
    assert now["metrics"] == {"loss": 0.25, "acc": 0.25}
    history = http.get(path_of(record, "/metrics")).json()
    assert [(one["step"], one["total"], one["metrics"]) for one in history] == [
        (1, 3, {"loss": 0.5}),
        (None, None, {"acc": 0.25}),
        (2, 3, {"loss": 0.25}),
    ]
    assert sorted(one["time"] for one in history) == [one["time"] for one in history]
    gate.open()
    done = ended(http, record)
    assert done["metrics"] == {"loss": 0.25, "acc": 0.25}
    assert http.get(path_of(record, "/metrics")).json() == history


def test_many_reports(http: httpx.Client) -> None:
    steps = [["report", {"step": number, "total": 1000, "loss": number / 7}] for number in range(1, 1001)]
    record = ended(http, begin(http, *steps))
    assert record["progress"] == 1
    history = http.get(path_of(record, "/metrics")).json()
    assert [one["step"] for one in history] == list(range(1, 1001))


def test_no_metrics(http: httpx.Client) -> None:
    """A training without reports has an empty history and no progress."""
    record = ended(http, begin(http, ["return", 1]))
    assert http.get(path_of(record, "/metrics")).json() == []
    assert "progress" not in record


@pytest.mark.parametrize("said", [{}, {"step": 1}, {"loss": "nan"}, {"step": 2**70, "big": 2**200}])
def test_odd_reports(http: httpx.Client, said: dict[str, Any]) -> None:
    """An unusual report does not fail the training, and the history stays readable."""
    record = ended(http, begin(http, ["report", said]))
    assert record["state"] == "done"
    assert http.get(path_of(record, "/metrics")).status_code == 200


def test_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Outside a training, a report does nothing."""
    monkeypatch.delenv("DEEPAAS_TRAINING", raising=False)
    monkeypatch.chdir(tmp_path)
    deepaas.report(step=1, total=2, loss=object())
    deepaas.report()
    assert list(tmp_path.iterdir()) == []


def test_from_threads(http: httpx.Client, gate: Gate) -> None:
    """All clients that follow a log at once receive the same text."""
    record = begin(http, ["print", "x" * 5000], ["wait", gate.port], ["print", "end"])
    gate.wait()
    seen: list[str] = []
    url = str(http.base_url)

    def follow() -> None:
        with httpx.Client(base_url=url, timeout=CALL_S) as own:
            seen.append(log(own, record, follow="true"))

    threads = [threading.Thread(target=follow) for _ in range(8)]
    for thread in threads:
        thread.start()
    gate.open()
    for thread in threads:
        thread.join(CALL_S)
    assert look(http, record)["state"] == "done"
    assert seen == [log(http, record)] * 8


@pytest.mark.parametrize("line", ["50%| | 1.2.3/4 [", f"epoch 1/{'9' * 400}"])
def test_line_that_cannot_be_read(http: httpx.Client, line: str) -> None:
    """Unparsable output does not change a training's outcome."""
    assert ended(http, begin(http, ["write", line]))["state"] == "done"
