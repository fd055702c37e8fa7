"""Invalid input: requests, results, settings, damaged databases and full disks."""

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deepaas.trainings.record import TrainingRecord, TrainingState
from deepaas.trainings.store import TrainingStore, sqlite_url
from support.machine import limit_s
from support.server import Gate, Server, run_until_exit
from support.trainings import STEPS, begin, ended, events, path_of

pytestmark = pytest.mark.slow
BELOW = ["", "/log", "/log?tail=1", "/log?follow=true", "/metrics", "/events", "/artifacts", "/artifacts/a"]
SMALL_MB = 3


@pytest.mark.parametrize("below", [*BELOW, "/provenance"])
@pytest.mark.parametrize("uuid", ["0" * 32, "nonsense", "..%2f..", "%00"])
def test_unknown(http: httpx.Client, below: str, uuid: str) -> None:
    """An unknown training is a 404 with a message, on every route."""
    response = http.get(path_of({"uuid": uuid}, below))
    assert response.status_code == 404
    assert response.json()["message"]


@pytest.mark.parametrize("query", ["", "?purge=true", "?purge=false"])
def test_unknown_delete(http: httpx.Client, query: str) -> None:
    assert http.delete(path_of({"uuid": "0" * 32}, query)).status_code == 404


def test_of_unknown_model(http: httpx.Client) -> None:
    record = ended(http, begin(http, ["return", 1]))
    for below in BELOW:
        assert http.get(path_of(record, below, model="unknown")).status_code == 404


def test_purge_nonsense(http: httpx.Client) -> None:
    """An invalid value of `purge` is a 400 and deletes nothing."""
    record = ended(http, begin(http, ["return", 1]))
    assert http.delete(path_of(record, "?purge=perhaps")).status_code == 400
    assert http.get(path_of(record)).status_code == 200


@pytest.mark.parametrize(
    "request_",
    [
        {"json": {"positive": 0}},
        {"json": {"steps": "x"}},
        {"files": {"data": ("a", b"x")}, "data": {"positive": "0"}},
        {"data": {"data": "a text"}},
    ],
)
def test_wrong_arguments(http: httpx.Client, trainer: Server, request_: dict[str, Any]) -> None:
    """Invalid arguments are a 422 before anything starts: no record and no folder is created."""
    train = "/v2/models/steps/train/"
    folder = trainer.state_dir / "steps"
    before = http.get(train).json(), set(folder.glob("*"))
    response = http.post(train, **request_)
    assert response.status_code == 422, response.text
    assert (http.get(train).json(), set(folder.glob("*"))) == before


@pytest.mark.parametrize(
    ("what", "expected"),
    [("object", "<object object"), ("lambda", "<built-in function len>"), ("big", str(2**70))],
)
def test_inexpressible(http: httpx.Client, what: str, expected: str) -> None:
    """A result that JSON cannot represent becomes its repr, in the record and in the list."""
    record = ended(http, begin(http, ["inexpressible", what]))
    assert record["state"] == "done"
    assert expected in str(record["result"]["output"])
    assert http.get("/v2/models/steps/train/").status_code == 200


@pytest.mark.parametrize(
    "flags",
    [
        ("--state-dir", "/dev/null/x"),
        ("--database-url", "nonsense"),
        ("--database-url", "sqlite:////dev/null/x.sqlite"),
        ("--database-url", "postgresql+psycopg://nobody@127.0.0.1:1/x"),
        ("--database-url", "oracle+nonsense://x"),
    ],
)
def test_unusable(tmp_path: Path, flags: tuple[str, str]) -> None:
    """The server does not start with an unusable state folder or database, and names it with its option."""
    found = run_until_exit(tmp_path, *flags, models=STEPS)
    assert found.returncode != 0
    assert "Traceback" not in found.stdout, found.stdout
    assert flags[0] in found.stdout
    assert flags[1].split("://")[-1] in found.stdout


def store_file(tmp_path: Path) -> Path:
    """Return the SQLite file of a closed store with a hundred records."""
    folder = tmp_path / "state"
    folder.mkdir()
    with TrainingStore(sqlite_url(folder)) as store:
        for number in range(100):
            record: dict[str, Any] = {
                "state": TrainingState.DONE,
                "arguments": {"x": "x" * 500},
                "finished": 2.0,
            }
            store.add(TrainingRecord(uuid=f"{number:032x}", model="steps", created=1.0, **record))
    return folder / "trainings.sqlite"


def make_garbage(file: Path) -> None:
    """Overwrite the file with text."""
    file.write_bytes(b"not a database at all" * 1000)


def cut(file: Path) -> None:
    """Truncate the file to its first third."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 3 // 4096 * 4096])


def damage_pages(file: Path) -> None:
    """Overwrite everything except the first page."""
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


def run_sql(file: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def make_newer(file: Path) -> None:
    """Change the file to a newer schema, with other tables and another journal mode."""
    run_sql(
        file,
        "UPDATE deepaas_store SET version = 1000",
        "DROP TABLE environments",
        "PRAGMA journal_mode = DELETE",
    )


def drop_column(file: Path) -> None:
    """Remove a column that is needed."""
    run_sql(file, "ALTER TABLE trainings DROP COLUMN progress")


@pytest.mark.parametrize("harm", [make_garbage, cut, damage_pages, make_newer, drop_column])
def test_damaged_store(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    """The server does not start with a damaged or newer database, names it, and does not change it."""
    file = store_file(tmp_path)
    harm(file)
    before = file.read_bytes()
    found: subprocess.CompletedProcess[str] = run_until_exit(tmp_path, models=STEPS)
    assert found.returncode == 1, found.stdout
    assert "Traceback" not in found.stdout, found.stdout
    assert str(file) in found.stdout
    assert "--database-url" in found.stdout
    assert file.read_bytes() == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of three megabytes."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder = tmp_path / "state"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_MB}m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_full_disk(small_disk: Path, start: Callable[..., Server]) -> None:
    """A full disk fails the training but not the server; once there is space, training works again."""
    server = start(models=STEPS)
    with server.client() as client:
        good = ended(client, begin(client, ["report", {"step": 1, "total": 1}], ["return", 1]))
        assert good["state"] == "done"
        full = begin(client, ["report", {"step": 1, "total": 2}], ["fill", "big"])
        record = ended(client, full, timeout_s=limit_s(60))
        assert record["state"] == "error"
        assert client.get("/v2/models/steps/train/").status_code == 200
        for below in ("/log", "/metrics", "/artifacts", "/provenance"):
            assert client.get(path_of(full, below)).status_code == 200
        assert events(client, full)[-1].kind == "end"
        assert client.post("/v2/models/steps/predict/").status_code == 200
        response = client.post("/v2/models/steps/train/", json={})
        assert response.status_code == 200 or response.json()["message"]
        (small_disk / "steps" / full["uuid"] / "artifacts" / "big").unlink()
        assert ended(client, begin(client, ["return", 2]), timeout_s=limit_s(60))["state"] == "done"
        message = client.get(path_of(full)).json()["message"]
        assert "space" in message or "full" in message or "exited" in message


def test_cancelling_on_a_full_disk(small_disk: Path, start: Callable[..., Server], gate: Gate) -> None:
    """A training can be cancelled while the disk is full, thanks to the server's disk reserve."""
    with start(models=STEPS).client() as client:
        record = begin(client, ["wait", gate.port])
        gate.wait()
        with (small_disk / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        response = client.delete(path_of(record))
        assert (response.status_code, response.json().get("state")) == (200, "cancelled"), response.text
