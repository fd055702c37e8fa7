"""A disk that cannot be written for some seconds: ends are recorded, cancel answers, no folder is left."""

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
from following import STEPS, begin, ended, path_of, trainings_below

from deepaas.trainings.folder import TrainingFolder
from serving import Gate, Server

pytestmark = pytest.mark.slow
OLD_S = 2 * 3600


@contextlib.contextmanager
def in_the_way(*paths: Path) -> Iterator[None]:
    """Put folders with a file where files are, which cannot be removed then, as on a disk without writing."""
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
    """Let the store refuse ends of trainings, as it does when the disk is full."""
    with refusing(server, "UPDATE ON trainings WHEN NEW.finished IS NOT NULL"):
        yield


@contextlib.contextmanager
def refusing(server: Server, change: str) -> Iterator[None]:
    """Let the store refuse a change."""
    with contextlib.closing(sqlite3.connect(server.state_dir / "trainings.sqlite")) as store:
        store.execute(
            f"CREATE TRIGGER full BEFORE {change} BEGIN SELECT RAISE(FAIL, 'the disk is full'); END"
        )
        try:
            yield
        finally:
            store.execute("DROP TRIGGER full")


def training_folder(server: Server, uuid: str) -> TrainingFolder:
    """Return the folder of a training."""
    return TrainingFolder.for_training(server.state_dir, "steps", uuid)


def test_end_without_a_writable_folder(trainer: Server, http: httpx.Client, gate: Gate) -> None:
    """A training whose folder cannot be written at its end is done, with its result."""
    record = begin(http, ["wait", gate.port], ["return", 5])
    gate.wait()
    folder = training_folder(trainer, record["uuid"])
    with in_the_way(folder.reserve, folder.job, folder.outcome):
        gate.open()
        found = ended(http, record)
    assert (found["state"], found["result"]["output"]) == ("done", [None, 5])


def test_killed_without_a_writable_folder(trainer: Server, http: httpx.Client, gate: Gate) -> None:
    """The same for one that the server has to write the end of, once the store takes it."""
    record = begin(http, ["wait", gate.port])
    gate.wait()
    folder = training_folder(trainer, record["uuid"])
    with in_the_way(folder.reserve, folder.job, trainer.state_dir / "reserve"):
        with no_ends(trainer):
            for process in trainings_below(record["uuid"]):
                process.kill()
            trainer.output.wait_for(rf"{record['uuid']} has ended and cannot be recorded")
        found = ended(http, record)
    assert found["message"] == "The training's process was killed by SIGKILL."


def test_cancelling_while_ends_cannot_be_recorded(trainer: Server, http: httpx.Client, gate: Gate) -> None:
    """Cancelling ends the process and is answered; the record follows."""
    record = begin(http, ["wait", gate.port])
    gate.wait()
    with no_ends(trainer):
        response = http.delete(path_of(record))
        assert (response.status_code, response.json()["state"]) == (200, "cancelling")
        assert not trainings_below(record["uuid"])
        assert http.delete(path_of(record)).json()["state"] == "cancelling"
    assert ended(http, record)["state"] == "cancelled"


def test_store_that_the_training_refuses(trainer: Server, http: httpx.Client) -> None:
    """What a training prints of its store names neither its place nor what the driver says."""
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
    """A training that gets no record leaves no folder, whatever the store says."""
    before = set((trainer.state_dir / "steps").glob("*"))
    with refusing(trainer, "INSERT ON trainings"):
        response = http.post("/v2/models/steps/train/", files={"data": ("a.txt", b"a")})
        assert response.status_code == 500
    assert set((trainer.state_dir / "steps").glob("*")) == before


def test_leftovers(tmp_path: Path, start: Callable[..., Server]) -> None:
    """A server that starts removes what failed starts left an hour ago, and nothing that may be of use."""
    model = tmp_path / "state" / "a model"
    removed = [make(model, "0.txt"), make(model, "0.txt", "job.new", "secrets"), make(model)]
    kept = [
        make(model, "0.txt", "job.new", age_s=60),  # a server that shares the folder may just be about it
        make(model, "0.txt", "job"),  # queued, in whatever store
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
        assert f"Removed {path}" in server.log
    assert f"{len(kept) - 1} folders" in server.log


def make(model: Path, *names: str, age_s: float = OLD_S) -> Path:
    """Make the folder of a training, with some files, that was last changed some time ago."""
    folder = model / uuid.uuid4().hex
    for path in [folder / "artifacts", *(folder / name for name in names)]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if path.name == "artifacts" else path.touch()
    then = time.time() - age_s
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (then, then))
    return folder
