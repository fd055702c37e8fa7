"""Starts our own Python processes, and terminates them with all they started."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import IO

from deepaas.child_setup import kill_process_group

_DESCRIPTORS_PER_PROCESS = 8


async def spawn_python(
    module: str,
    *arguments: str,
    die_with_parent: bool,
    descriptors: Sequence[int] = (),
    output: int | IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> asyncio.subprocess.Process:
    """Start `module` in a fresh interpreter that leads a process group of its own.

    With `die_with_parent`, its standard input is one: the process ends when this one closes it or dies (see
    `exit_with_parent`); without, the process lives on. `output` is where its standard output and
    error go; `None` is where those of this process go. Raise `OSError` when the system refuses.
    """
    _check_free_descriptors(_DESCRIPTORS_PER_PROCESS)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # the working directory is put on the path with the server's own path, if it was there
        "-m",
        module,
        *arguments,
        pass_fds=descriptors,
        stdin=asyncio.subprocess.PIPE if die_with_parent else asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=asyncio.subprocess.STDOUT if output is not None else None,
        start_new_session=True,
        env=environment,
    )


def _check_free_descriptors(count: int) -> None:
    """Raise `OSError` when fewer descriptors can be opened: uvloop would lose those that it got before."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))


async def terminate_process(process: asyncio.subprocess.Process, grace_s: float) -> int:
    """Give the process `grace_s` seconds to end by itself, then kill its whole group; return its exit."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(grace_s):
            await process.wait()
    kill_process_group(process.pid)
    return await process.wait()


def describe_exit(returncode: int) -> str:
    """Return what became of a process: ``was killed by SIGSEGV`` or ``exited with code 3``."""
    if returncode >= 0:
        return f"exited with code {returncode}"
    try:
        return f"was killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was killed by signal {-returncode}"


def get_exit_code_or_signal(returncode: int) -> str:
    """Return the exit code, or the name of the signal that killed the process, alone."""
    return describe_exit(returncode).rpartition(" ")[2]
