"""Cancelling trainings in any state; no process is left."""

import time
from typing import Any

import httpx
import pytest

from support.machine import limit_s
from support.server import Gate, Server, wait_until
from support.trainings import GRACE_S, alive, begin, ended, look, path_of, trainings_below

pytestmark = pytest.mark.slow


def cancel(client: httpx.Client, record: dict[str, Any]) -> dict[str, Any]:
    """Cancel a training and return the record of the response."""
    response = client.delete(path_of(record))
    assert response.status_code == 200
    return dict(response.json())


def test_running(http: httpx.Client, gate: Gate) -> None:
    """SIGTERM stops a running training at once."""
    record = begin(http, ["pid"], ["wait", gate.port])
    gate.wait()
    answer = cancel(http, record)
    assert (answer["status"], answer["state"], answer["exit"]) == ("cancelled", "cancelled", "SIGTERM")
    assert look(http, record) == answer
    assert trainings_of(record) == []


def trainings_of(record: dict[str, Any]) -> list[object]:
    """Return the processes of one training."""
    return list(trainings_below(record["uuid"]))


def test_at_any_moment(http: httpx.Client) -> None:
    """A training can be cancelled at any moment of its start."""
    for delay_s in (0, 0.05, 0.2, 0.4, 0.6, 0.8):
        record = begin(http, ["burn" if delay_s == 0.8 else "sleep", 600])
        time.sleep(limit_s(delay_s))  # the moment to test
        assert cancel(http, record)["state"] == "cancelled"
        assert trainings_of(record) == []


def test_queued(http: httpx.Client, trainer: Server, gate: Gate) -> None:
    """A cancelled queued training leaves the queue and never runs; its upload is deleted."""
    running = [begin(http, ["wait", gate.port]) for _ in range(2)]
    gate.wait(2)
    files = {"data": ("a.txt", b"text")}
    queued = http.post("/v2/models/steps/train/", files=files).json()
    folder = trainer.state_dir / "steps" / queued["uuid"]
    assert list(folder.glob("*.txt"))
    assert cancel(http, queued)["status"] == "cancelled"
    gate.open()
    assert [ended(http, record)["state"] for record in running] == ["done", "done"]
    assert look(http, queued)["state"] == "cancelled"
    assert http.get(path_of(queued, "/log")).text == ""
    wait_until(lambda: [path.name for path in folder.glob("*.txt")] == [])


def test_deaf(http: httpx.Client, gate: Gate) -> None:
    """A training that ignores SIGTERM is killed after the grace period, not before."""
    record = begin(http, ["deaf"], ["wait", gate.port])
    gate.wait()
    began = time.monotonic()
    answer = cancel(http, record)
    assert (answer["state"], answer["exit"]) == ("cancelled", "SIGKILL")
    assert GRACE_S <= time.monotonic() - began < GRACE_S + limit_s(5)
    assert trainings_of(record) == []


@pytest.mark.parametrize("what", ["group", "session", "deep"])
def test_grandchildren(http: httpx.Client, gate: Gate, what: str) -> None:
    """All descendants of a cancelled training are killed, also in other sessions."""
    record = begin(http, ["start", what], ["wait", gate.port])
    gate.wait()
    least = 3 if what == "deep" else 2
    family = wait_until(lambda: [one for one in [trainings_of(record)] if len(one) >= least])[0]
    assert cancel(http, record)["status"] == "cancelled"
    wait_until(lambda: not any(alive(process.pid) for process in family), limit_s(2))


def test_grandchildren_of_one_that_is_killed(http: httpx.Client, gate: Gate) -> None:
    """Processes in a training's group are also killed if something else kills the training."""
    record = begin(http, ["start", "group"], ["wait", gate.port], ["kill", "SIGKILL"])
    gate.wait()
    family = wait_until(lambda: [one for one in [trainings_of(record)] if len(one) >= 2])[0]
    gate.open()
    assert ended(http, record)["exit"] == "SIGKILL"
    wait_until(lambda: not any(alive(process.pid) for process in family))


def test_twice(http: httpx.Client, gate: Gate) -> None:
    """Cancelling again returns the same record."""
    record = begin(http, ["wait", gate.port])
    gate.wait()
    assert cancel(http, record) == cancel(http, record)


@pytest.mark.parametrize("steps", [[["return", 1]], [["raise", "x"]]])
def test_ended(http: httpx.Client, steps: list[list[Any]]) -> None:
    """Cancelling a finished training changes nothing."""
    record = ended(http, begin(http, *steps))
    assert cancel(http, record) == record
    assert look(http, record) == record


def test_server_goes_on(http: httpx.Client, trainer: Server) -> None:
    """After the tests above, the server still runs trainings."""
    assert trainer.process.poll() is None
    assert ended(http, begin(http, ["return", 1]))["state"] == "done"
