"""Database outages: trainings lose nothing, and features without a database keep working."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from deepaas.client import Client
from deepaas.trainings.folder import TrainingFolder
from support import postgresql
from support.server import Gate, Server, serving, wait_until
from support.trainings import STEPS, begin, comes, ended, kill, look, path_of, trainings_below

pytestmark = pytest.mark.slow
LOSS = {"step": 1, "total": 1, "loss": 1.0}


@pytest.fixture
def database(postgresql_programs: Path) -> Iterator[postgresql.Cluster]:
    """Return a PostgreSQL server for one test, which can stop and restart it."""
    with postgresql.Cluster(postgresql_programs) as database:
        yield database


@pytest.fixture
def server(database: postgresql.Cluster, tmp_path: Path) -> Iterator[Server]:
    """Return a server that uses this database."""
    with serving(tmp_path, "--database-url", f"{database.url}/postgres", models=STEPS) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def test_away_at_the_end(
    server: Server, client: httpx.Client, database: postgresql.Cluster, gate: Gate
) -> None:
    """A training that finishes during an outage is done, with its result, once the database is back."""
    last = {"step": 2, "total": 2, "loss": 0.5}
    record = begin(
        client,
        ["report", LOSS | {"total": 2}],
        ["wait", gate.port],
        ["report", last],
        ["leave", "w.bin", "x"],
        ["return", {"a": 1}],
    )
    gate.wait()
    database.stop()
    gate.open()
    wait_until(lambda: not trainings_below(record["uuid"]))
    assert TrainingFolder.for_training(server.state_dir, "steps", record["uuid"]).outcome.exists()
    database.start()
    found = ended(client, record)
    assert (found["state"], found["result"]["output"][-1]) == ("done", {"a": 1})
    assert (found["progress"], found["metrics"]) == (1.0, {"loss": 0.5})
    assert [artifact["path"] for artifact in found["artifacts"]] == ["w.bin"]
    assert client.get(path_of(record, "/provenance")).json()["environment"]["packages"]


def test_away_until_the_next_start(
    server: Server, client: httpx.Client, database: postgresql.Cluster, tmp_path: Path, gate: Gate
) -> None:
    """If the server is killed during the outage too, the next server records the outcome."""
    record = begin(client, ["wait", gate.port], ["return", 5])
    gate.wait()
    database.stop()
    kill(server)
    gate.open()
    wait_until(lambda: not trainings_below(record["uuid"]))
    database.start()
    with (
        serving(tmp_path, "--database-url", f"{database.url}/postgres", models=STEPS) as next_server,
        next_server.client() as next_client,
    ):
        found = ended(next_client, record)
        assert (found["state"], found["result"]["output"]) == ("done", [None, 5])


def test_away_at_the_start(client: httpx.Client, database: postgresql.Cluster, gate: Gate) -> None:
    """A queued training that is due during an outage runs once the database is back."""
    first = begin(client, ["wait", gate.port])
    gate.wait()
    queued = begin(client, ["return", 5])
    database.stop()
    gate.open()
    wait_until(lambda: not trainings_below(first["uuid"]))
    database.start()
    assert ended(client, first)["state"] == "done"
    assert ended(client, queued)["state"] == "done"


def test_killed_meanwhile(client: httpx.Client, database: postgresql.Cluster, gate: Gate) -> None:
    """A training killed during an outage has the correct message afterwards."""
    record = begin(client, ["wait", gate.port])
    gate.wait()
    database.stop()
    for process in trainings_below(record["uuid"]):
        process.kill()
    database.start()
    assert ended(client, record)["message"] == "The training's process was killed by SIGKILL."


def test_what_needs_no_store(
    server: Server, client: httpx.Client, database: postgresql.Cluster, gate: Gate
) -> None:
    """During an outage, metrics and predictions work; training requests are a 503 without internals."""
    record = begin(client, ["wait", gate.port])
    gate.wait()
    assert 'deepaas_trainings{model="steps",state="running"} 1.0' in client.get("/metrics").text
    database.stop()
    figures = client.get("/metrics")
    assert (figures.status_code, "deepaas_trainings{" in figures.text) == (200, False)
    assert 'deepaas_workers{model="steps",state="idle"}' in figures.text
    assert client.post("/v2/models/steps/predict/").status_code == 200
    folders = sorted((server.state_dir / "steps").iterdir())
    for method, path in (
        ("GET", "/v2/models/steps/train/"),
        ("POST", "/v2/models/steps/train/"),
        ("GET", path_of(record)),
        ("DELETE", path_of(record)),
        *(("GET", path_of(record, f"/{below}")) for below in ("log", "metrics", "events", "artifacts/")),
    ):
        response = client.request(method, path)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "2"), path
        for secret in ("127.0.0.1", "postgres", "psycopg"):
            assert secret not in response.text
    assert sorted((server.state_dir / "steps").iterdir()) == folders
    database.start()
    gate.open()
    assert ended(client, record)["state"] == "done"


@pytest.mark.parametrize("method", ["wait", "follow_log", "events"])
def test_client_goes_on(server: Server, database: postgresql.Cluster, gate: Gate, method: str) -> None:
    """A client that waits for a training or follows it does not notice the outage."""
    with Client(server.url) as client:
        steps = [["print", "before"], ["wait", gate.port], ["print", "after"]]
        training = client["steps"].train(steps=steps)
        gate.wait()
        following = iter(getattr(training, method)() if method != "wait" else ())
        with contextlib.suppress(StopIteration):
            next(following)
        database.stop()
        gate.open()
        wait_until(lambda: not trainings_below(training.uuid))
        database.start()
        if method == "wait":
            assert training.wait()["status"] == "done"
        elif method == "follow_log":
            lines = list(following)
            assert "after" in lines
            assert not [line for line in lines if "127.0.0.1" in line]
        else:
            assert list(following)[-1].kind == "end"


def test_locked_file(tmp_path: Path, start: Callable[..., Server], gate: Gate) -> None:
    """A locked SQLite file delays the record of the outcome but does not lose it."""
    server = start(models=STEPS)
    with server.client() as client:
        record = begin(client, ["wait", gate.port], ["return", 5])
        gate.wait()
        folder = TrainingFolder.for_training(server.state_dir, "steps", record["uuid"])
        with contextlib.closing(sqlite3.connect(server.state_dir / "trainings.sqlite")) as other:
            other.execute("BEGIN IMMEDIATE")
            gate.open()
            wait_until(folder.outcome.exists)
            assert look(client, record)["state"] == "running"
            other.rollback()
        found = comes(client, record, lambda now: now["state"] == "done")
        assert found["result"]["output"] == [None, 5]
