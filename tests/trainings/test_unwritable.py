"""Temporarily unwritable disks: outcomes are recorded, cancelling works, and no folder is left."""

import contextlib
import os
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from deepaas.trainings.folder import TrainingFolder
from support.server import Gate, Server
from support.trainings import STEPS, begin, ended, path_of, trainings_below

pytestmark = pytest.mark.slow
OLD_S = 2 * 3600


@contextlib.contextmanager
def in_the_way(*paths: Path) -> Iterator[None]:
    """Replace files with non-empty folders, so that they can be neither written nor deleted."""
    for path in paths:
        path.unlink(missing_ok=True)
        (path / "full").mkdir(parents=True)
    try:
        yield
    finally:
        for path in paths:
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def no_ends(server: Server) -> Iterator[None]:
    """Make the database refuse outcomes of trainings, as on a full disk."""
    with refusing(server, "UPDATE ON trainings WHEN NEW.finished IS NOT NULL"):
        yield


@contextlib.contextmanager
def refusing(server: Server, change: str) -> Iterator[None]:
    """Make the database refuse a change."""
    with contextlib.closing(sqlite3.connect(server.state_dir / "trainings.sqlite")) as store:
        store.execute(
            f"CREATE TRIGGER full BEFORE {change} BEGIN SELECT RAISE(FAIL, 'the disk is full'); END"
        )
        try:
            yield
        finally:
            store.execute("DROP TRIGGER full")


def training_folder(server: Server, uuid: str) -> TrainingFolder:
    return TrainingFolder.for_training(server.state_dir, "steps", uuid)


def test_end_without_a_writable_folder(trainer: Server, http: httpx.Client, gate: Gate) -> None:
    """A training whose folder is unwritable when it finishes is done, with its result."""
    record = begin(http, ["wait", gate.port], ["return", 5])
    gate.wait()
    folder = training_folder(trainer, record["uuid"])
    with in_the_way(folder.reserve, folder.job, folder.outcome):
        gate.open()
        found = ended(http, record)
    assert (found["state"], found["result"]["output"]) == ("done", [None, 5])


def test_killed_without_a_writable_folder(trainer: Server, http: httpx.Client, gate: Gate) -> None:
    """The server records the outcome of a killed training once the database accepts it."""
    record = begin(http, ["wait", gate.port])
    gate.wait()
    folder = training_folder(trainer, record["uuid"])
    with in_the_way(folder.reserve, folder.job, trainer.state_dir / "reserve"):
        with no_ends(trainer):
            for process in trainings_below(record["uuid"]):
                process.kill()
            trainer.output.wait_for(rf"{record['uuid']} has finished but cannot be recorded")
        found = ended(http, record)
    assert found["message"] == "The training's process was killed by SIGKILL."


def test_cancelling_while_ends_cannot_be_recorded(trainer: Server, http: httpx.Client, gate: Gate) -> None:
    """Cancelling stops the process and responds at once; the record follows."""
    record = begin(http, ["wait", gate.port])
    gate.wait()
    with no_ends(trainer):
        response = http.delete(path_of(record))
        assert (response.status_code, response.json()["state"]) == (200, "cancelling")
        assert not trainings_below(record["uuid"])
        assert http.delete(path_of(record)).json()["state"] == "cancelling"
    assert ended(http, record)["state"] == "cancelled"


def test_store_that_the_training_refuses(trainer: Server, http: httpx.Client) -> None:
    """A training's log about its database has neither the database's address nor the driver's error."""
    with contextlib.closing(sqlite3.connect(trainer.state_dir / "trainings.sqlite")) as store:
        store.execute("UPDATE deepaas_store SET version = version + 1")
        store.commit()
        record = begin(http, ["return", 5])
        assert ended(http, record)["message"] == "The training's process exited with code 1."
        store.execute("UPDATE deepaas_store SET version = version - 1")
        store.commit()
    log = http.get(path_of(record, "/log")).text
    assert log == "The training cannot be recorded (StoreError): see the server's log.\n"


def test_failed_start(trainer: Server, http: httpx.Client) -> None:
    """A training without a record leaves no folder."""
    before = set((trainer.state_dir / "steps").glob("*"))
    with refusing(trainer, "INSERT ON trainings"):
        response = http.post("/v2/models/steps/train/", files={"data": ("a.txt", b"a")})
        assert response.status_code == 500
    assert set((trainer.state_dir / "steps").glob("*")) == before


def test_leftovers(tmp_path: Path, start: Callable[..., Server]) -> None:
    """A starting server deletes folders that failed starts left over an hour ago, and no others."""
    model = tmp_path / "state" / "a model"
    removed = [make(model, "0.txt"), make(model, "0.txt", "job.new", "secrets"), make(model)]
    kept = [
        make(model, "0.txt", "job.new", age_s=60),  # another server may be starting it now
        make(model, "0.txt", "job"),  # queued, perhaps in another database
        make(model, "log"),
        make(model, "outcome.json"),
        make(model, "artifacts/weights"),
    ]
    other = model / "notes" / "0.txt"
    other.parent.mkdir()
    other.touch()
    server = start(models=STEPS)
    assert server.url
    assert sorted(model.iterdir()) == sorted([*kept, other.parent])
    for path in removed:
        assert f"Deleted {path}" in server.log
    assert f"{len(kept) - 1} folders" in server.log


def make(model: Path, *names: str, age_s: float = OLD_S) -> Path:
    """Create a training's folder with some files, last changed `age_s` seconds ago."""
    folder = model / uuid.uuid4().hex
    for path in [folder / "artifacts", *(folder / name for name in names)]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if path.name == "artifacts" else path.touch()
    then = time.time() - age_s
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (then, then))
    return folder
