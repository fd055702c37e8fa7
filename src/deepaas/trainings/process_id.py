"""Identifies a process: host, process id, boot and start."""

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
_STARTTIME_INDEX = 19  # place of `starttime` behind the name of the command, in proc_pid_stat(5)


class ProcessId(NamedTuple):
    """What names a process for ever: its host, its id, and its start, since ids are used again.

    `start` is ``BOOT_ID/TICKS``, or seconds since the epoch: on other systems than Linux, and in records that
    were made before there were boot ids in them.
    """

    host: str
    pid: int
    start: str

    @classmethod
    def current(cls) -> Self:
        """Return the name of this process."""
        return cls(socket.gethostname(), os.getpid(), _read_start(os.getpid()))

    @classmethod
    def of_pid(cls, pid: int) -> Self | None:
        """Return the name of a process of this machine, if it is there."""
        try:
            return cls(socket.gethostname(), pid, _read_start(pid))
        except (OSError, psutil.Error):
            return None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name that `str` made."""
        host, pid, start = text.rsplit(" ", 2)
        return cls(host, int(pid), start)

    def __str__(self) -> str:
        return f"{self.host} {self.pid} {self.start}"

    def is_alive(self) -> bool:
        """Say whether the process runs. One on another host is taken to."""
        if self.host != socket.gethostname():
            return True
        try:
            return self._is_same_process() and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except (OSError, psutil.Error):
            return False

    async def wait_exit(
        self, timeout_s: float | None = None, force_stop: asyncio.Event | None = None
    ) -> bool:
        """Wait until the process has ended, `timeout_s` at the most or until `hurry`; say whether it has."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while self.is_alive():
            if (until is not None and time.monotonic() > until) or (force_stop and force_stop.is_set()):
                return False
            await asyncio.sleep(_POLL_INTERVAL_S)
        return True

    async def terminate(self, grace_s: float, force_stop: asyncio.Event) -> None:
        """Ask the process's group to end, and kill it, and all that it started, after `grace_s` seconds."""
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
        """Say whether the process that has the id now is the named one. Raise `OSError` or `psutil.Error`."""
        if "/" in self.start:
            return _read_start(self.pid) == self.start
        return abs(psutil.Process(self.pid).create_time() - float(self.start)) < _START_TOLERANCE_S

    def _descendants(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.Error:
            return []


def _read_start(pid: int) -> str:
    """Return what tells a process from others that have had its id. Raise `OSError` or `psutil.Error`.

    It is the boot of the system and the clock ticks since then. The time of day would change with each step
    of the clock, also for processes that run already.
    """
    if not _BOOT_ID.exists():
        return str(psutil.Process(pid).create_time())  # systems other than Linux keep that time
    _, _, fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    return f"{_BOOT_ID.read_text().strip()}/{fields.split()[_STARTTIME_INDEX]}"
