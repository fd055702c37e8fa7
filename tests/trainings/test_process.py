"""What a process is told by from others that have had its id."""

import os
import subprocess
import sys

import psutil
import pytest

from deepaas.trainings.process import ProcessName


def step_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let psutil see what it sees after the clock was set: other times of the boot and of each start."""
    boot_s, created_s = psutil.boot_time(), psutil.Process.create_time
    monkeypatch.setattr(psutil, "boot_time", lambda: boot_s + seconds)
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: created_s(self) + seconds)


@pytest.mark.parametrize("seconds", [-3, 3600, -3600])
def test_clock_that_is_set(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """A process stays the same when the clock is set while it runs."""
    before = ProcessName.own()
    step_clock(monkeypatch, seconds)
    assert before.is_alive()
    assert ProcessName.parse(str(before)) == ProcessName.own() == ProcessName.of(os.getpid()) == before


def test_id_that_is_used_again() -> None:
    """A process with the same id that started at another time, or on another boot, is another one."""
    own = ProcessName.own()
    boot, ticks = own.start.split("/")
    assert not own._replace(start=f"{boot}/{int(ticks) - 1}").is_alive()
    assert not own._replace(start=f"another/{ticks}").is_alive()


def test_name_of_a_command() -> None:
    """The name of its command, which may have blanks and brackets, changes nothing."""
    code = "import ctypes; ctypes.CDLL(None).prctl(15, b') 1 2 (', 0, 0, 0); print(); input()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        name = ProcessName.of(process.pid)
        assert name
        assert name.is_alive()
        process.communicate(b"\n")
    assert not name.is_alive()
