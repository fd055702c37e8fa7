"""The bash of a page; its variables and current folder persist from block to block."""

import os
import selectors
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from support.machine import limit_s
from support.server import END_S

COMMAND_S = limit_s(300)


class Ended(NamedTuple):
    """The exit status and output of a command."""

    status: int
    output: str


class Shell:
    """A bash that runs one command after another. `logs` is the folder for scripts and their output.

    Commands are read from files and write to files, so that bash's own output contains only statuses.
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
        self._type("set -m")  # gives each command a process group, so that all of it can be killed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._bash.stdin
        assert self._bash.stdout
        self._bash.stdin.close()
        self._bash.stdout.close()
        self._bash.wait(END_S)

    def run(self, command: str) -> Ended:
        """Run a command and wait for it."""
        script, output = self._write(command)
        self._type(f". '{script}' </dev/null >'{output}' 2>&1; echo $?")
        return Ended(int(self._said(output)), output.read_text(errors="backslashreplace"))

    def begin(self, command: str) -> tuple[int, Path]:
        """Start a command in the background; return its process group and its output file."""
        script, output = self._write(command)
        output.touch()
        self._type(f". '{script}' </dev/null >'{output}' 2>&1 & echo $!")
        return int(self._said(output)), output

    def wait(self, group: int) -> None:
        """Let bash reap a command in the background; otherwise it reports the exit in the next output."""
        self._type(f"wait {group}")

    def ask(self, command: str) -> str:
        """Return the one-line output of an internal command."""
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
        """Return the next line that bash itself prints; fail on timeout, or if bash has exited."""
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
