"""First steps of a child process: exit with the parent, ignore signals, line buffering.

Imports only the standard library, because every worker waits for it.
"""

import contextlib
import functools
import io
import os
import signal
import sys
import threading
from collections.abc import Iterable


def kill_process_group(pid: int, signal_number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to the process group that `pid` leads; do nothing if it does not exist."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal_number)


def use_line_buffering() -> None:
    """Flush output at every line, even if it is not a terminal; Python child processes do not buffer either.

    A value of `PYTHONUNBUFFERED` in the environment is kept.
    """
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)


def ignore_signals(signals: Iterable[int]) -> None:
    """Ignore these signals in this process, but not in its children."""
    outlived = set(signals)
    for number in outlived:
        signal.signal(number, _ignore)
    # exec() resets handlers, fork() does not. Block the signals around fork, so that a child never runs our
    # handler before its default handlers are restored.
    os.register_at_fork(
        before=functools.partial(signal.pthread_sigmask, signal.SIG_BLOCK, outlived),
        after_in_parent=functools.partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, outlived),
        after_in_child=functools.partial(_restore_default_handlers, outlived),
    )


def exit_with_parent() -> None:
    """Kill this process's group as soon as the parent closes the pipe that `spawn_python` made, or exits.

    The pipe is moved away from standard input, so that user code cannot read it.
    """
    lifeline = os.dup(0)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - only its descriptor is used
        os.dup2(nothing.fileno(), 0)
    threading.Thread(
        target=_kill_group_at_parent_exit, args=(lifeline,), name="lifeline", daemon=True
    ).start()


def _ignore(_: int, __: object) -> None:
    """Do nothing; unlike SIG_IGN, a Python handler is not inherited through exec()."""


def _restore_default_handlers(signals: Iterable[int]) -> None:
    for number in signals:
        if signal.getsignal(number) is _ignore:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


def _kill_group_at_parent_exit(lifeline: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(lifeline, 1):
            pass
    kill_process_group(os.getpid())
