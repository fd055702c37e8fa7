"""Process ids that distinguish a process from others with the same pid."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from deepaas.trainings.local_executor import LocalExecutor
from deepaas.trainings.process_id import ProcessId
from deepaas.trainings.record import TrainingRecord
from deepaas.trainings.store import TrainingStore, sqlite_url
from support.server import END_S


def step_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Change psutil's boot time and start times, as setting the clock does."""
    boot_s, created_s = psutil.boot_time(), psutil.Process.create_time
    monkeypatch.setattr(psutil, "boot_time", lambda: boot_s + seconds)
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: created_s(self) + seconds)


@pytest.mark.parametrize("seconds", [-3, 3600, -3600])
def test_clock_that_is_set(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """A process keeps its id when the clock is set."""
    before = ProcessId.current()
    step_clock(monkeypatch, seconds)
    assert before.is_alive()
    assert ProcessId.parse(str(before)) == ProcessId.current() == ProcessId.of_pid(os.getpid()) == before


def test_id_that_is_used_again() -> None:
    """A process with the same pid but another start or boot is a different one."""
    own = ProcessId.current()
    boot, ticks = own.start.split("/")
    assert not own._replace(start=f"{boot}/{int(ticks) - 1}").is_alive()
    assert not own._replace(start=f"another/{ticks}").is_alive()


def test_process_of_an_older_record(tmp_path: Path) -> None:
    """A process recorded by its start time, as in older versions, is found and terminated."""
    with (
        TrainingStore(sqlite_url(tmp_path)) as store,
        subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True
        ) as process,
    ):
        started = psutil.Process(process.pid).create_time()
        running = LocalExecutor(store)

        def end(pid_started: float) -> bool:
            host = socket.gethostname()
            values: dict[str, Any] = {
                "arguments": {},
                "host": host,
                "pid": process.pid,
                "pid_started": pid_started,
            }
            training = TrainingRecord(uuid="a", model="m", created=1.0, **values)
            return asyncio.run(running.terminate(training, 0, asyncio.Event()))

        end(started - 100)
        assert process.poll() is None, "a process that is no training was ended"
        # A terminated child remains as a zombie until its parent waits for it.
        reaping = threading.Thread(target=process.wait)
        reaping.start()
        try:
            end(started)
            reaping.join(END_S)
            assert not reaping.is_alive(), "the training's process was not ended"
        finally:
            process.kill()
    server = ProcessId.parse(f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time()}")
    assert server.is_alive()


def test_name_of_a_command() -> None:
    """Blanks and brackets in the command's name do not matter."""
    code = "import ctypes; ctypes.CDLL(None).prctl(15, b') 1 2 (', 0, 0, 0); print(); input()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        name = ProcessId.of_pid(process.pid)
        assert name
        assert name.is_alive()
        process.communicate(b"\n")
    assert not name.is_alive()
