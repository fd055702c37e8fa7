"""Starting one of our own Python processes, and ending it with everything it started.

It must not know what the process does.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import IO

from deepaas.spawned import kill_group

_DESCRIPTORS_FOR_A_PROCESS = 8


async def spawn(
    module: str,
    *arguments: str,
    lifeline: bool,
    descriptors: Sequence[int] = (),
    output: int | IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> asyncio.subprocess.Process:
    """Start `module` in a fresh interpreter that leads a process group of its own.

    With `lifeline`, its standard input is one: the process ends when this one closes it or dies (see
    `deepaas.spawned.hang_on`); without, the process lives on. `output` is where its standard output and
    error go; `None` is where those of this process go. Raise `OSError` when the system refuses.
    """
    _make_sure_of(_DESCRIPTORS_FOR_A_PROCESS)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # the working directory is put on the path with the server's own path, if it was there
        "-m",
        module,
        *arguments,
        pass_fds=descriptors,
        stdin=asyncio.subprocess.PIPE if lifeline else asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=asyncio.subprocess.STDOUT if output is not None else None,
        start_new_session=True,
        env=environment,
    )


def _make_sure_of(count: int) -> None:
    """Raise `OSError` when fewer descriptors can be opened: uvloop would lose those that it got before."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))


async def end(process: asyncio.subprocess.Process, grace_s: float) -> int:
    """Give the process `grace_s` seconds to end by itself, then kill its whole group; return its exit."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(grace_s):
            await process.wait()
    kill_group(process.pid)
    return await process.wait()


def exit_reason(returncode: int) -> str:
    """Return what became of a process: ``was killed by SIGSEGV`` or ``exited with code 3``."""
    if returncode >= 0:
        return f"exited with code {returncode}"
    try:
        return f"was killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was killed by signal {-returncode}"


def exit_word(returncode: int) -> str:
    """Return the exit code, or the name of the signal that killed the process, alone."""
    return exit_reason(returncode).rpartition(" ")[2]
