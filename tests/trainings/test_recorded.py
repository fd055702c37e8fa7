"""Outcome in a training's record: states, exit code, memory, traceback, OOM kills."""

import contextlib
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from support.server import Gate, Server, serving, wait_until
from support.trainings import STEPS, begin, comes, ended, events, look, path_of, reaches, sha256

pytestmark = pytest.mark.slow
FOUR = {"running", "done", "error", "cancelled"}
GROUPS = Path("/sys/fs/cgroup")
LIMIT_MB = 400


def test_states(start: Callable[..., Server], gate: Gate) -> None:
    """The status is always one of four; `state` is more detailed."""
    with start(models=STEPS).client() as client:
        first = begin(client, ["wait", gate.port])
        gate.wait()
        second = begin(client, ["wait", gate.port])
        assert (second["status"], second["state"]) == ("running", "queued")
        running = look(client, first)
        assert (running["status"], running["state"]) == ("running", "running")
        gate.open()
        gate.wait()
        gate.open()
        assert ended(client, second)["state"] == "done"
        seen = [event.content for event in events(client, second) if event.kind == "state"]
        assert {one["status"] for one in seen} <= FOUR


def test_starting(start: Callable[..., Server], gate: Gate) -> None:
    """Events show the states in order, between queued and done."""
    with start(models=STEPS).client() as client:
        first = begin(client, ["wait", gate.port])
        gate.wait()
        second = begin(client, ["return", 1])
        gate.open()
        seen = [event.content["state"] for event in events(client, second) if event.kind == "state"]
        assert seen == sorted(seen, key=["queued", "starting", "running", "done"].index)
        assert seen[0] == "queued"
        assert seen[-1] == "done"
        assert ended(client, first)["state"] == "done"


@pytest.mark.parametrize(
    ("step", "exit_", "message"),
    [
        (["return", 1], "0", None),
        (["raise", "no luck"], "1", "ValueError: no luck"),
        (["exit", 3], "3", "SystemExit: 3"),
        (["_exit", 7], "7", "exited with code 7"),
        (["kill", "SIGKILL"], "SIGKILL", "SIGKILL"),
        (["kill", "SIGSEGV"], "SIGSEGV", "SIGSEGV"),
        (["kill", "SIGTERM"], "SIGTERM", "SIGTERM"),
    ],
)
def test_exit(http: httpx.Client, step: list[object], exit_: str, message: str | None) -> None:
    """The record has the exit code or signal of a training, and the reason."""
    record = ended(http, begin(http, step))
    assert record["exit"] == exit_
    assert record["state"] == ("error" if message else "done")
    assert message is None or message in record["message"]
    assert "out of memory" not in record.get("message", "")


def test_traceback(http: httpx.Client) -> None:
    """The traceback of a failed training has the user code's line; a successful training has none."""
    record = ended(http, begin(http, ["raise", "no luck"]))
    assert record["traceback"].startswith("Traceback")
    assert "raise ValueError(text)" in record["traceback"]
    assert "traceback" not in ended(http, begin(http, ["return", 1]))


def test_peak_memory(http: httpx.Client, gate: Gate) -> None:
    """The record has the peak memory, even if it was used for a moment only."""
    small = ended(http, begin(http, ["return", 1]))["peak_memory_mb"]
    big = ended(http, begin(http, ["hold", 300]))["peak_memory_mb"]
    assert 5 < small < 300
    assert small + 250 < big < small + 400


def test_peak_memory_while_running(http: httpx.Client, gate: Gate) -> None:
    """The record of a running training has the peak memory so far."""
    record = begin(http, ["wait", gate.port])
    gate.wait()
    comes(http, record, lambda now: now.get("peak_memory_mb", 0) > 5)
    gate.open()
    ended(http, record)


@pytest.mark.parametrize("text", ["nul \0", "surrogate", "🎈 ü", "x" * 100_000])
def test_odd_messages(http: httpx.Client, text: str) -> None:
    """Any text in an exception gives a valid record and list."""
    record = begin(http, ["return", 1], ["print", "x"])
    ended(http, record)
    record = ended(http, begin(http, ["raise", text]))
    assert record["state"] == "error"
    assert record["message"].startswith("ValueError: ")
    assert http.get("/v2/models/steps/train/").status_code == 200


def test_forked_child(http: httpx.Client) -> None:
    """A process that the model forked can call sys.exit without finishing the training."""
    record = ended(http, begin(http, ["fork_and_exit", 4], ["return", "after"]))
    assert (record["state"], record.get("result", {}).get("output")) == ("done", [None, "after"])


def test_thread_that_stays(start: Callable[..., Server], gate: Gate) -> None:
    """A thread that a training leaves running does not block the next training."""
    with start(models=STEPS).client() as client:
        record = begin(client, ["thread", gate.port], ["return", 1])
        gate.wait()
        assert ended(client, record)["state"] == "done"
        assert ended(client, begin(client, ["return", 2]))["state"] == "done"


def test_on_disk_first(start: Callable[..., Server], gate: Gate) -> None:
    """The record is in the file before the response is sent: other programs can read it there."""
    server = start(models=STEPS)
    with server.client() as client:
        begin(client, ["wait", gate.port])
        queued = begin(client, ["return", 1])
        server.process.send_signal(signal.SIGSTOP)
        connection = sqlite3.connect(f"file:{server.state_dir}/trainings.sqlite?mode=ro", uri=True)
        rows = connection.execute("SELECT uuid, state FROM trainings").fetchall()
        connection.close()
        server.process.send_signal(signal.SIGCONT)
        assert (queued["uuid"], "queued") in rows
        gate.open()


@contextlib.contextmanager
def limited_group() -> Iterator[Path]:
    """Create a control group with a memory limit; yield the file that adds processes."""
    if os.geteuid() != 0:
        pytest.skip("only root may make a control group with a memory limit")
    first = GROUPS / "memory" if (GROUPS / "memory").is_dir() else GROUPS
    group = first / f"deepaas-test-{os.getpid()}"
    limit = "memory.limit_in_bytes" if first.name == "memory" else "memory.max"
    try:
        group.mkdir()
        (group / limit).write_text(str(LIMIT_MB << 20))
    except OSError as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        pytest.skip(f"no control group with a memory limit can be made here: {error}")
    try:
        yield group / "cgroup.procs"
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


def test_out_of_memory(tmp_path: Path) -> None:
    """The message of an OOM-killed training names the cause, and the server keeps running."""
    with (
        limited_group() as procs,
        serving(tmp_path, models=STEPS) as server,
        server.client() as client,
    ):
        procs.write_text(str(server.process.pid))
        record = ended(client, begin(client, ["hold", 2 * LIMIT_MB]))
        assert (record["state"], record["exit"]) == ("error", "SIGKILL")
        assert "out of memory" in record["message"]
        killed = ended(client, begin(client, ["kill", "SIGKILL"]))
        assert "out of memory" not in killed["message"]
        assert ended(client, begin(client, ["return", 1]))["state"] == "done"
        reaches(client, record, "error")


def test_process_that_a_library_starts_again(http: httpx.Client) -> None:
    """A second process with the same command line also trains; the first one writes the record."""
    steps = [["start_again"], ["rank"], ["report", {"step": 1, "total": 1, "loss": 0.5}], ["leave", "w", "x"]]
    record = ended(http, begin(http, *steps, ["return", 5]))
    assert (record["state"], record["result"]["output"][-1]) == ("done", 5)
    log = http.get(path_of(record, "/log")).text
    assert [line for line in log.splitlines() if line.startswith("rank")] == ["rank 1", "rank 0"]
    assert len(http.get(path_of(record, "/metrics")).json()) == 1
    assert [artifact["path"] for artifact in record["artifacts"]] == ["w"]


def test_failure_in_a_process_that_a_library_starts_again(http: httpx.Client) -> None:
    """If the second process fails, the training fails with the library's error."""
    record = ended(http, begin(http, ["start_again"], ["exit", 3]))
    assert (record["state"], record["exit"]) == ("error", "1")
    assert "CalledProcessError" in record["message"]


def test_password(trainer: Server, http: httpx.Client, gate: Gate) -> None:
    """Records and responses mask a password; the training deletes the only file that contains it."""
    running = [begin(http, ["wait", gate.port]) for _ in range(2)]
    gate.wait(2)
    password = "dr0wssap-of-a-registry"
    record = begin(http, ["wait", gate.port], ["start_again"], ["return", 1], key=password)
    folder = trainer.state_dir / "steps" / record["uuid"]
    assert [path.name for path in files_with(password, trainer.state_dir)] == ["secrets"]
    assert (folder / "secrets").stat().st_mode & 0o777 == 0o600
    gate.open()
    for one in running:
        ended(http, one)
    gate.wait()
    assert files_with(password, trainer.state_dir) == []
    gate.open()
    gate.wait()  # the process that it started with the same command line
    gate.open()
    assert ended(http, record)["result"]["output"][-1] == 1
    log = http.get(path_of(record, "/log")).text
    assert log.splitlines() == [f"key {sha256(password.encode())}"] * 2
    for below in ("", "/events", "/provenance"):
        shown = http.get(path_of(record, below)).text
        assert password not in shown
        assert "********" in shown
    assert password not in trainer.log


def files_with(text: str, folder: Path) -> list[Path]:
    """Return the files below a folder that contain a text."""
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]
