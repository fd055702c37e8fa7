"""The fault table: what a model can do to its worker, the response, and its latency."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import httpx
import pytest

from support.machine import timeout_s
from support.server import Server, predict, serving, wait_until, within

pytestmark = pytest.mark.slow
MODELS = {"faults": "models.faults.faults"}
TIMEOUT_S = timeout_s(1)
BEYOND_S = 1.0
LOST = "The worker that ran this prediction"


class Row(NamedTuple):
    """A fault, the expected response, and the maximum time that the fault itself takes."""

    fault: str
    status: int
    says: str
    fault_s: float = 0.0


SURVIVED = [
    Row("sys.exit", 500, "SystemExit: I leave"),
    Row("deep recursion", 500, "RecursionError"),
    Row("memory limit", 500, "MemoryError"),
    Row("unpicklable", 500, "has no JSON form"),
    Row("print", 200, "printed", 8),
    Row("enormous", 200, "xxxxxxxx", 12),
    Row("empty", 200, "emptied"),
]
DEADLY = [
    Row("segfault", 500, f"{LOST} was killed by SIGSEGV"),
    Row("_exit", 500, f"{LOST} exited with code 3"),
    Row("_exit 0", 500, f"{LOST} exited with code 0"),
    Row("abort", 500, f"{LOST} was killed by SIGABRT"),
    Row("SIGKILL", 500, f"{LOST} was killed by SIGKILL"),
    Row("deep recursion in C", 500, f"{LOST} was killed by SIGSEGV", 3),
    Row("close", 500, LOST),
    Row("garbage", 500, LOST),
    Row("one byte", 500, LOST),
    Row("fill", 500, LOST),
    Row("a frame that never ends", 500, LOST),
    Row("die while rendering", 500, f"{LOST} was killed by SIGKILL"),
    Row("die while writing a file", 500, f"{LOST} was killed by SIGKILL"),
    Row("die before replying", 500, f"{LOST} was killed by SIGKILL"),
    Row("die soon", 500, f"{LOST} exited with code 7"),
]
HANGING = [
    Row(fault, 504, f"took longer than {TIMEOUT_S:g} s", 1)
    for fault in ("SIGSTOP", "endless loop", "endless loop, deaf", "endless loop in C")
]


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server without a prediction timeout."""
    with serving(tmp_path_factory.mktemp("patient"), models=MODELS) as server:
        yield server


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server with a prediction timeout of `TIMEOUT_S`."""
    folder = tmp_path_factory.mktemp("impatient")
    with serving(folder, "--predict-timeout", str(TIMEOUT_S), models=MODELS) as server:
        yield server


def name(row: Row) -> str:
    """Return the test id of a row."""
    return row.fault


def check(server: Server, row: Row) -> None:
    """Trigger the fault; check the response, its latency, the next response, and that no file is left."""
    with server.client() as client:
        within(lambda: check_answer(client, row), row.fault_s + BEYOND_S)
        check_recovered(client, server)


def check_answer(client: httpx.Client, row: Row) -> None:
    """Trigger the fault and check the response."""
    response = predict(client, "faults", json={"fault": row.fault})
    assert response.status_code == row.status, response.text[:300]
    assert row.says in response.text[:300]
    if row.status != 200:
        assert list(response.json()) == ["message"]
        assert response.headers["X-Request-ID"]


def check_recovered(client: httpx.Client, server: Server) -> None:
    """Check that the next request succeeds, and that no request left a file."""
    following = predict(client, "faults", json={"number": 5})
    assert following.status_code == 200, following.text
    assert following.json()["predictions"] == "5"
    wait_until(lambda: server.scratch_files() == [])


@pytest.mark.parametrize("row", SURVIVED, ids=name)
def test_survived(patient: Server, row: Row) -> None:
    """The response reports the model's failure or success, and the worker stays."""
    before = {one.pid for one in patient.family()}
    check(patient, row)
    assert {one.pid for one in patient.family()} == before


@pytest.mark.parametrize("row", DEADLY, ids=name)
def test_deadly(patient: Server, row: Row) -> None:
    """The call fails immediately and reports how the worker ended; the next call succeeds."""
    check(patient, row)


@pytest.mark.parametrize("row", HANGING, ids=name)
def test_hanging(impatient: Server, row: Row) -> None:
    """The call fails after --predict-timeout, and its worker is killed."""
    before = {one.pid for one in impatient.workers()}
    check(impatient, row)
    assert not {one.pid for one in impatient.workers()} & before, "the worker was not replaced"


def test_enormous_result_is_complete(patient: Server) -> None:
    with patient.client() as client:
        response = predict(client, "faults", json={"fault": "enormous"})
    assert len(response.json()["predictions"]) in (200_000_000, 200_000_002)


def test_death_after_replying(patient: Server) -> None:
    """A worker that dies after its reply leaves the response complete; the next request succeeds."""
    with patient.client() as client:
        response = predict(client, "faults", json={"fault": "die after replying"})
        assert response.status_code == 200
        assert response.json()["predictions"].count("x") == 2_000_000
        check_recovered(client, patient)


def test_zeros_into_every_descriptor(patient: Server) -> None:
    """The response is complete or reports a lost worker; the next request succeeds."""
    with patient.client() as client:
        response = predict(client, "faults", json={"fault": "nothing but zeros"})
        assert "written" in response.text or LOST in response.text
        check_recovered(client, patient)


@pytest.mark.parametrize("fault", ["_exit", "segfault", "garbage", "fill", "a frame that never ends"])
def test_fault_ran_once(start: Callable[..., Server], fault: str) -> None:
    """A call that killed its worker is not retried, even if its reply was lost."""
    server = start(models=MODELS)
    with server.client() as client:
        check_answer(client, Row(fault, 500, LOST))
        check_recovered(client, server)
    assert (server.cwd / "runs").read_text().split("\n") == [fault, "None", ""]


@pytest.mark.parametrize("end", ["SIGSEGV", "SIGKILL"])
def test_death_while_warming(start: Callable[..., Server], end: str) -> None:
    """If a new worker dies while warming, calls fail with 503 and report how; later they succeed."""
    server = start(models={"dying": "models.faults.dies_warming"})
    with server.client() as client:
        (server.cwd / "order").write_text(end)
        assert predict(client, "dying", json={"end": "SIGKILL"}).status_code == 500
        response = predict(client, "dying", json={})
        assert response.status_code == 503, response.text
        assert f"was killed by {end} while starting" in response.json()["message"]
        assert int(response.headers["Retry-After"]) >= 1
        (server.cwd / "order").unlink()
        wait_until(lambda: predict(client, "dying", json={}).status_code == 200)
