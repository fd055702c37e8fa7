"""Identifies a process by host, process id and start."""

import asyncio
import os
import signal
import socket
import time
from pathlib import Path
from typing import NamedTuple, Self

import psutil

from deepaas.child_setup import kill_process_group

_POLL_INTERVAL_S = 0.05
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_START_TOLERANCE_S = 1.0
_STARTTIME_INDEX = 19  # index of `starttime` after the command's name, see proc_pid_stat(5)


class ProcessId(NamedTuple):
    """Unique name of a process: host, process id, and start, since the system reuses ids.

    `start` is ``BOOT_ID/TICKS``. On systems other than Linux, and in records of older versions, it is seconds
    since the epoch.
    """

    host: str
    pid: int
    start: str

    @classmethod
    def current(cls) -> Self:
        """Return the id of this process."""
        return cls(socket.gethostname(), os.getpid(), _read_start(os.getpid()))

    @classmethod
    def of_pid(cls, pid: int) -> Self | None:
        """Return the id of a process on this machine, or None if there is no such process."""
        try:
            return cls(socket.gethostname(), pid, _read_start(pid))
        except (OSError, psutil.Error):
            return None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the result of `str`."""
        host, pid, start = text.rsplit(" ", 2)
        return cls(host, int(pid), start)

    def __str__(self) -> str:
        return f"{self.host} {self.pid} {self.start}"

    def is_alive(self) -> bool:
        """Return whether the process runs. A process on another host is assumed to run."""
        if self.host != socket.gethostname():
            return True
        try:
            return self._is_same_process() and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except (OSError, psutil.Error):
            return False

    async def wait_exit(
        self, timeout_s: float | None = None, force_stop: asyncio.Event | None = None
    ) -> bool:
        """Wait for the process's exit, `timeout_s` seconds or `force_stop`; return whether it exited."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while self.is_alive():
            if (until is not None and time.monotonic() > until) or (force_stop and force_stop.is_set()):
                return False
            await asyncio.sleep(_POLL_INTERVAL_S)
        return True

    async def terminate(self, grace_s: float, force_stop: asyncio.Event) -> None:
        """Send SIGTERM to the process group; after `grace_s` or `force_stop`, kill it and its descendants."""
        if self.host != socket.gethostname() or not self.is_alive():
            return
        family = self._descendants()
        kill_process_group(self.pid, signal.SIGTERM)
        await self.wait_exit(grace_s, force_stop)
        kill_process_group(self.pid)
        for process in family:
            if process.is_running():
                process.kill()
        await self.wait_exit()

    def _is_same_process(self) -> bool:
        """Return whether the id still belongs to this process. Raise `OSError` or `psutil.Error`."""
        if "/" in self.start:
            return _read_start(self.pid) == self.start
        return abs(psutil.Process(self.pid).create_time() - float(self.start)) < _START_TOLERANCE_S

    def _descendants(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.Error:
            return []


def _read_start(pid: int) -> str:
    """Return the start of a process. Raise `OSError` or `psutil.Error`.

    On Linux it is the boot id and the clock ticks since boot: a start in time of day would change whenever
    the clock is set, even for running processes.
    """
    if not _BOOT_ID.exists():
        return str(psutil.Process(pid).create_time())  # systems other than Linux store that time
    _, _, fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    return f"{_BOOT_ID.read_text().strip()}/{fields.split()[_STARTTIME_INDEX]}"
