"""Steps that tests of trainings share: start a training, read it, wait for a state, read its events."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil

from deepaas.trainings.record import TrainingRecord, TrainingState
from support.machine import timeout_s
from support.server import CALL_S, Server, wait_until

STEPS = {"steps": "models.training.steps"}
VERSIONED = {"versioned": "models.training.versioned"}
GRACE_S = timeout_s(1)
ENDS = {"done", "error", "cancelled", "lost"}
Record = dict[str, Any]
GONE = TrainingRecord(
    uuid="e" * 32,
    model="steps",
    created=1.0,
    arguments={},
    server="gone 1 1.0",
    host="gone",
    state=TrainingState.RUNNING,
    pid=1,
    pid_started=1.0,
)
"""A running training of a host that no longer exists."""


class Event(NamedTuple):
    """A server-sent event."""

    id: str
    kind: str
    content: Any


def path_of(record: Record, below: str = "", model: str = "steps") -> str:
    """Return the URL path of a training, or of a resource below it."""
    return f"/v2/models/{model}/train/{record['uuid']}{below}"


def begin(client: httpx.Client, *steps: list[Any], model: str = "steps", **more: Any) -> Record:
    """Start a training that runs `steps`, and return its record."""
    arguments = ({"steps": list(steps)} if steps else {}) | more
    response = client.post(f"/v2/models/{model}/train/", json=arguments)
    assert response.status_code == 200, response.text
    return dict(response.json())


def look(client: httpx.Client, record: Record, model: str = "steps") -> Record:
    """Return the current record."""
    response = client.get(path_of(record, model=model))
    assert response.status_code == 200, response.text
    return dict(response.json())


def reaches(
    client: httpx.Client, record: Record, *states: str, model: str = "steps", timeout_s: float = CALL_S
) -> Record:
    """Wait until the training is in one of the states; return its record."""
    seen: list[Record] = []

    def found() -> bool:
        seen.append(look(client, record, model))
        return seen[-1]["state"] in states

    try:
        wait_until(found, timeout_s)
    except AssertionError as error:
        raise AssertionError(f"not {states} but {seen[-1]}") from error
    return seen[-1]


def ended(client: httpx.Client, record: Record, model: str = "steps", timeout_s: float = CALL_S) -> Record:
    """Wait until the training has finished; return its record."""
    return reaches(client, record, *ENDS, model=model, timeout_s=timeout_s)


def comes(client: httpx.Client, record: Record, found: Callable[[Record], Any]) -> Record:
    """Wait until `found` is true for the record; return the record."""
    return wait_until(lambda: [now for now in [look(client, record)] if found(now)])[0]


def read_events(lines: Iterator[str]) -> Iterator[Event]:
    """Parse the events of a stream of lines, as a browser does."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields.get("data"):
            yield Event(fields.get("id", ""), fields["event"], json.loads(fields["data"]))
            fields = {}


def events(client: httpx.Client, record: Record, last_id: str = "") -> list[Event]:
    """Return all events after `last_id`, until the stream ends."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with client.stream("GET", path_of(record, "/events"), headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        return list(read_events(response.iter_lines()))


def kill(server: Server) -> None:
    """Kill the server, as a power cut would. Delete its scratch folder, which only a clean exit deletes."""
    server.process.kill()
    server.process.wait(CALL_S)
    server._stopped = True  # noqa: SLF001 - it has exited
    for left in server.scratch.iterdir():
        shutil.rmtree(left, ignore_errors=True)


def alive(pid: int) -> bool:
    """Return whether a process runs and is not a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def trainings_below(folder: Path | str) -> list[psutil.Process]:
    """Return the processes of trainings with `folder` in their path, and their child processes."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in process.environ().get("DEEPAAS_TRAINING", "") and alive(process.pid):
                found.append(process)
        except psutil.Error:
            continue
    return found


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
