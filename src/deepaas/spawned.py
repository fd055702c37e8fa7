"""What a process that `deepaas.spawn` started does for itself.

It must not know what else the process does, and imports little, since every worker waits for it.
"""

import contextlib
import io
import os
import signal
import sys
import threading


def kill_group(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send the signal to every process in the group that `pid` leads, if there is any."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def write_lines_at_once() -> None:
    """Let what is printed be seen when it is printed, also where nobody looks at a terminal."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)


def hang_on() -> None:
    """In a process that `spawn` made: die, with the whole group, as soon as the server is gone.

    The lifeline is moved away from standard input, so that nothing the model reads can touch it.
    """
    lifeline = os.dup(0)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a descriptor is wanted, not a path
        os.dup2(nothing.fileno(), 0)
    threading.Thread(target=_die_with, args=(lifeline,), name="lifeline", daemon=True).start()


def _die_with(lifeline: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(lifeline, 1):
            pass
    kill_group(os.getpid())
