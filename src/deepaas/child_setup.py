"""First steps of a child process: exit with the parent, ignore signals, streams, forked copies.

Imports only the standard library, because every worker waits for it.
"""

import contextlib
import functools
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterable
from typing import NoReturn, Self

from deepaas.standard_streams import open_standard_streams


def kill_process_group(pid: int, signal_number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to the process group that `pid` leads; do nothing if it does not exist."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal_number)


def prepare_output() -> None:
    """Make standard output and error safe, and flush them at every line, also in Python child processes.

    A value of `PYTHONUNBUFFERED` in the environment is kept.
    """
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    open_standard_streams()


class ForkGuard:
    """A context manager around user code: a copy of this process that the code forks exits at its end.

    Such a copy, which was meant to exit by itself, shares the pipe, the files and the record of its original.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self.check(error)

    def check(self, error: BaseException | None = None) -> None:
        """Exit if this process is a copy."""
        if os.getpid() != self._pid:
            _exit_copy(error)


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


def _exit_copy(error: BaseException | None) -> NoReturn:
    """Exit without the exit handlers of the original; after an error, with its traceback and exit code."""
    code = 0 if error is None else 1
    with contextlib.suppress(BaseException):
        if isinstance(error, SystemExit) and isinstance(error.code, int | None):
            code = error.code or 0
        elif error is not None:
            traceback.print_exception(error)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    os._exit(code)


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
