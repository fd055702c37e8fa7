"""Records stay correct when the server, a training, or both are killed at any moment."""

import contextlib
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from deepaas.trainings.record import TrainingRecord, TrainingState
from deepaas.trainings.store import TrainingStore, sqlite_url
from support.machine import limit_s
from support.server import AN_HOUR, AT_ONCE_S, CALL_S, END_S, Gate, Server, serving_and_killed, wait_until
from support.trainings import (
    ENDS,
    STEPS,
    Record,
    alive,
    begin,
    comes,
    ended,
    kill,
    look,
    path_of,
    trainings_below,
)

pytestmark = pytest.mark.slow
KILLS = 30
WORK = (["sleep", 0], ["burn", 0.2], ["sleep", 2])
SEED = 20_240_607
LOST = "lost: "


def gone_server() -> str:
    """Return the id of a server that no longer runs."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return f"{socket.gethostname()} {process.pid} 12345.0"


def kept(folder: Path, **values: object) -> str:
    """Add a record to the store of a server that starts later; return its id."""
    folder.mkdir(parents=True, exist_ok=True)
    host = socket.gethostname()
    known = {"uuid": "a" * 32, "model": "steps", "created": time.time() - 60, "arguments": {}, "host": host}
    with TrainingStore(sqlite_url(folder)) as store:
        store.add(TrainingRecord(**(known | {"server": gone_server()} | values)))  # type: ignore[arg-type]
    return str((known | values)["uuid"])


def assert_true(record: Record, listed: dict[str, Record]) -> None:
    """Fail unless the record and its entry in the list are correct."""
    assert record["uuid"] in listed
    if record["state"] == "running":
        uuid = record["uuid"]
        found = [one for one in psutil.process_iter(["cmdline"]) if uuid in (one.info["cmdline"] or ())]
        assert found, f"running without a process: {record}"
    elif record["state"] == "done":
        assert record["result"]["output"][-1] == "end"
    elif record["state"] == "lost":
        assert record["status"] == "error"
        assert record["message"].startswith(LOST)
    elif record["state"] == "error":
        assert "SIGKILL" in record["message"]
    else:
        assert record["state"] in ("queued", "starting")


def settled(client: httpx.Client) -> bool:
    """Return whether no training is starting, a state that must not last."""
    return all(one["state"] != "starting" for one in client.get("/v2/models/steps/train/").json())


def kill_some(server: Server, chance: random.Random) -> set[str]:
    """Kill the server, a training, or both; return the choice."""
    what = chance.choice([{"server"}, {"training"}, {"server", "training"}])
    if "training" in what:
        for process in trainings_below(server.state_dir)[:1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    if "server" in what:
        kill(server)
    return what


def test_thirty_kills(tmp_path: Path) -> None:
    """After each kill at a random moment, every record is correct, and in the end no process is left."""
    chance = random.Random(SEED)
    killed: list[str] = []
    records: list[Record] = []
    try:
        while len(killed) < KILLS:
            with (
                serving_and_killed(tmp_path, "--max-trainings", "2", models=STEPS) as server,
                server.client() as client,
            ):
                look_at_all(client, records)
                server_lives = True
                while server_lives and len(killed) < KILLS:
                    records += [
                        begin(client, chance.choice(WORK), ["return", "end"])
                        for _ in range(chance.randint(1, 2))
                    ]
                    # The random moment to test.
                    time.sleep(chance.uniform(0, 1.2))
                    what = kill_some(server, chance)
                    killed.append("+".join(sorted(what)))
                    server_lives = "server" not in what
                    if server_lives:
                        look_at_all(client, records)
        with (
            serving_and_killed(tmp_path, "--max-trainings", "2", models=STEPS) as server,
            server.client() as client,
        ):
            ends = [ended(client, record, timeout_s=limit_s(60)) for record in records]
            look_at_all(client, records)
            assert {"done", "lost"} <= {one["state"] for one in ends}
            assert wait_until(lambda: not trainings_below(server.state_dir))
    except BaseException:
        print(f"seed {SEED}, kills so far: {killed}")  # noqa: T201 - shown where the test fails
        raise
    assert trainings_below(tmp_path) == []


def look_at_all(client: httpx.Client, records: list[Record]) -> None:
    """Fail unless every record becomes correct."""
    wait_until(lambda: settled(client))
    listed = {one["uuid"]: one for one in client.get("/v2/models/steps/train/").json()}
    for record in records:
        # A process may exit between two requests; then the next response is correct.
        wait_until(lambda: is_true(client, record, listed))  # noqa: B023 - used at once
    assert set(listed) == {record["uuid"] for record in records}


def is_true(client: httpx.Client, record: Record, listed: dict[str, Record]) -> bool:
    """Return whether the record is correct now."""
    with contextlib.suppress(AssertionError):
        assert_true(look(client, record), listed)
        return True
    return False


@pytest.fixture
def restarts(start: Callable[..., Server]) -> Iterator[Callable[[], Server]]:
    """Return a function that starts a server on the same state folder each time."""
    return lambda: start(models=STEPS)


def test_adopted(restarts: Callable[[], Server], gate: Gate) -> None:
    """The next server takes over a running training, shows it as running and follows it to its end."""
    server = restarts()
    with server.client() as client:
        record = begin(client, ["wait", gate.port], ["print", "said later"], ["return", "end"])
        gate.wait()
    kill(server)
    with restarts().client() as client:
        assert look(client, record)["state"] == "running"
        gate.open()
        assert ended(client, record)["result"]["output"][-1] == "end"
        assert "said later" in client.get(path_of(record, "/log")).text


def test_ended_in_between(restarts: Callable[[], Server], gate: Gate) -> None:
    """A training that finished while no server ran has its outcome."""
    server = restarts()
    with server.client() as client:
        good = begin(client, ["wait", gate.port], ["return", "end"])
        gate.wait()
    kill(server)
    gate.open()
    wait_until(lambda: not trainings_below(server.state_dir))
    with restarts().client() as client:
        record = look(client, good)
        assert (record["state"], record["result"]["output"][-1]) == ("done", "end")


def test_vanished(restarts: Callable[[], Server], gate: Gate) -> None:
    """A training that was killed together with its server is lost, with a message."""
    server = restarts()
    with server.client() as client:
        record = begin(client, ["wait", gate.port])
        gate.wait()
    kill(server)
    for process in trainings_below(server.state_dir):
        process.kill()
        process.wait(END_S)
    with restarts().client() as client:
        lost = ended(client, record)
        assert (lost["state"], lost["status"]) == ("lost", "error")
        assert lost["message"].startswith(LOST)


def test_queued_survives(restarts: Callable[[], Server], gate: Gate) -> None:
    """The next server runs a queued training, after the running one that it took over."""
    server = restarts()
    with server.client() as client:
        first = begin(client, ["wait", gate.port])
        gate.wait()
        second = begin(client, ["return", "end"])
    kill(server)
    with restarts().client() as client:
        gate.open()
        assert ended(client, first)["state"] == "done"
        assert ended(client, second)["result"]["output"] == ["end"]


def test_adopted_can_be_cancelled(restarts: Callable[[], Server], gate: Gate) -> None:
    server = restarts()
    with server.client() as client:
        record = begin(client, ["wait", gate.port])
        gate.wait()
    kill(server)
    with restarts().client() as client:
        assert client.delete(path_of(record)).json()["state"] == "cancelled"
    assert trainings_below(server.state_dir) == []


def test_killed_while_cancelling(
    start: Callable[..., Server], restarts: Callable[[], Server], gate: Gate
) -> None:
    """If the server is killed while cancelling, the next one finishes the cancellation."""
    server = start("--cancel-grace", AN_HOUR, models=STEPS)
    with server.client() as client:
        record = begin(client, ["deaf"], ["wait", gate.port])
        gate.wait()
        with contextlib.suppress(httpx.ReadTimeout):
            client.delete(path_of(record), timeout=limit_s(0.5))
        comes(client, record, lambda now: now["state"] == "cancelling")
    kill(server)
    with restarts().client() as client:
        assert ended(client, record)["state"] == "cancelled"
    assert trainings_below(server.state_dir) == []


def bystander() -> subprocess.Popen[bytes]:
    """Start a process that leads its own group and is not a training."""
    return subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)


def test_id_used_again(tmp_path: Path, restarts: Callable[[], Server]) -> None:
    """If another process has the pid of a dead training, the training is lost and that process survives."""
    with bystander() as other:
        try:
            uuid = kept(
                tmp_path / "state", state=TrainingState.RUNNING, pid=other.pid, process_start="b/12345"
            )
            with restarts().client() as client:
                assert ended(client, {"uuid": uuid})["state"] == "lost"
            assert other.poll() is None, "a process that is no training was killed"
        finally:
            other.kill()


def test_cancel_when_id_is_used_again(tmp_path: Path, restarts: Callable[[], Server]) -> None:
    """Cancelling a dead training does not signal another process that has its process id."""
    with bystander() as other:
        try:
            own = psutil.Process()
            server = f"{socket.gethostname()} {own.pid} {own.create_time()}"
            values = {
                "state": TrainingState.RUNNING,
                "pid": other.pid,
                "process_start": "b/12345",
                "server": server,
            }
            uuid = kept(tmp_path / "state", **values)
            with restarts().client() as client, contextlib.suppress(httpx.ReadTimeout):
                client.delete(path_of({"uuid": uuid}), timeout=limit_s(2))
            assert other.poll() is None, "a process that is no training was signalled"
        finally:
            other.kill()


def test_started_without_a_word(tmp_path: Path, restarts: Callable[[], Server]) -> None:
    """If the server is killed before the process records its pid, the training is lost."""
    uuid = kept(tmp_path / "state", state=TrainingState.STARTING)
    with restarts().client() as client:
        assert ended(client, {"uuid": uuid})["state"] == "lost"


def test_folder_gone(tmp_path: Path, restarts: Callable[[], Server]) -> None:
    """A queued training whose folder is missing fails with a message and does not block others."""
    uuid = kept(tmp_path / "state", state=TrainingState.QUEUED)
    with restarts().client() as client:
        record = ended(client, {"uuid": uuid})
        assert record["status"] == "error"
        assert record["message"]
        assert ended(client, begin(client, ["return", "end"]))["state"] == "done"


def test_other_host(tmp_path: Path, restarts: Callable[[], Server]) -> None:
    """After the host's name changed, as with containers, a training of the old name can still finish."""
    values = {"server": "old-name 7 12345.0", "host": "old-name", "pid": 8, "process_start": "b/12346"}
    uuid = kept(tmp_path / "state", state=TrainingState.RUNNING, **values)
    with restarts().client() as client:
        response = client.delete(path_of({"uuid": uuid}), timeout=CALL_S)
        assert response.json()["state"] in ENDS


def test_stopped_server(start: Callable[..., Server], restarts: Callable[[], Server], gate: Gate) -> None:
    """A server that receives SIGTERM cancels running and queued trainings, and leaves no process."""
    server = start("--drain-timeout", AN_HOUR, models=STEPS)
    with server.client() as client:
        running = begin(client, ["wait", gate.port])
        gate.wait()
        queued = begin(client, ["return", 1])
    processes = trainings_below(server.state_dir)
    assert processes
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(AT_ONCE_S) == 0
    server._stopped = True  # noqa: SLF001 - it has stopped
    assert not any(alive(process.pid) for process in processes)
    with restarts().client() as client:
        states = [comes(client, one, lambda now: now["state"] in ENDS)["state"] for one in (running, queued)]
        assert states == ["cancelled", "cancelled"]
