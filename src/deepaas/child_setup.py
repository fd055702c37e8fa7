"""What a child process does first: exit with its parent, ignore signals, buffer by lines.

It imports little, since every worker waits for it.
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
    """Send the signal to every process in the group that `pid` leads, if there is any."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal_number)


def use_line_buffering() -> None:
    """Let what is printed be seen when it is printed, also where nobody looks at a terminal.

    The same goes for the Python programs that this process starts, unless they were told otherwise.
    """
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)


def ignore_signals(signals: Iterable[int]) -> None:
    """Go on when one of these signals comes; processes that this one starts are as mortal as any."""
    outlived = set(signals)
    for number in outlived:
        signal.signal(number, _ignore)
    # What is executed anew does not inherit it, what is merely forked would; a signal may come to it at once.
    os.register_at_fork(
        before=functools.partial(signal.pthread_sigmask, signal.SIG_BLOCK, outlived),
        after_in_parent=functools.partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, outlived),
        after_in_child=functools.partial(_restore_default_handlers, outlived),
    )


def exit_with_parent() -> None:
    """In a process that `spawn_python` made: die, with the whole group, as soon as the server is gone.

    The lifeline is moved away from standard input, so that nothing the model reads can touch it.
    """
    lifeline = os.dup(0)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a descriptor is wanted, not a path
        os.dup2(nothing.fileno(), 0)
    threading.Thread(
        target=_kill_group_at_parent_exit, args=(lifeline,), name="lifeline", daemon=True
    ).start()


def _ignore(_: int, __: object) -> None:
    """Do nothing; ignoring a signal in the system's way would be inherited."""


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
