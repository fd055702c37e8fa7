"""Owns the one bash of a page, in which variables and the folder live on. Must not know what is run in it."""

import os
import selectors
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from serving import END_S
from support.machine import limit_s

COMMAND_S = limit_s(300)


class Ended(NamedTuple):
    """How a command ended, and all it wrote."""

    status: int
    output: str


class Shell:
    """A bash that runs one command after the other; `logs` is the folder for commands and what they write.

    Commands are read from files and write to files, so that bash's own output holds nothing but statuses.
    """

    def __init__(self, folder: Path, logs: Path, env: Mapping[str, str]) -> None:
        self._logs = logs
        self._count = 0
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=dict(env),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._type("set -m")  # a process group for each command, so that it can be ended as a whole

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._bash.stdin
        assert self._bash.stdout
        self._bash.stdin.close()
        self._bash.stdout.close()
        self._bash.wait(END_S)

    def run(self, command: str) -> Ended:
        """Run a command to its end."""
        script, output = self._write(command)
        self._type(f". '{script}' </dev/null >'{output}' 2>&1; echo $?")
        return Ended(int(self._said(output)), output.read_text(errors="backslashreplace"))

    def begin(self, command: str) -> tuple[int, Path]:
        """Begin a command in the background; return its process group and the file that it writes to."""
        script, output = self._write(command)
        output.touch()
        self._type(f". '{script}' </dev/null >'{output}' 2>&1 & echo $!")
        return int(self._said(output)), output

    def wait(self, group: int) -> None:
        """Let bash notice that a command in the background has ended; else it says so in the next output."""
        self._type(f"wait {group}")

    def ask(self, command: str) -> str:
        """Return the one line that a command of the machinery's own prints."""
        return self.run(command).output.strip()

    def _write(self, command: str) -> tuple[Path, Path]:
        self._count += 1
        script = self._logs / f"{self._count}.sh"
        script.write_text(f"{command}\n")
        return script, script.with_suffix(".out")

    def _type(self, line: str) -> None:
        assert self._bash.stdin
        self._bash.stdin.write(f"{line}\n")
        self._bash.stdin.flush()

    def _said(self, output: Path) -> str:
        """Return the next line that bash itself prints; fail when it takes too long, or bash has ended."""
        assert self._bash.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self._bash.stdout, selectors.EVENT_READ)
            in_time = selector.select(COMMAND_S)
        line = self._bash.stdout.readline() if in_time else ""
        if not line:
            os.killpg(self._bash.pid, signal.SIGKILL)
            reason = "it ended the shell" if in_time else f"it took longer than {COMMAND_S} s"
            raise AssertionError(f"{reason}:\n{output.read_text(errors='backslashreplace')}")
        return line.strip()
