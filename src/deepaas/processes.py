"""Spawns Python child processes, and terminates them with their process group."""

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
    """Run `module` in a new interpreter, in a new session and process group.

    With `die_with_parent`, the process exits when its standard input is closed, and so when this process
    exits (see `exit_with_parent`). `output` receives its standard output and error; `None` inherits ours.
    Raise `OSError` when the process cannot be started.
    """
    _check_free_descriptors(_DESCRIPTORS_PER_PROCESS)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # omits the working directory; the process gets the server's sys.path later
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
    """Raise `OSError` if `count` descriptors cannot be opened: uvloop leaks some if it runs out midway.

    https://github.com/MagicStack/uvloop/pull/186
    """
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))


async def terminate_process(process: asyncio.subprocess.Process, grace_s: float) -> int:
    """Wait `grace_s` seconds for the process to exit, then kill its process group; return its exit code."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(grace_s):
            await process.wait()
    kill_process_group(process.pid)
    return await process.wait()


def describe_exit(returncode: int) -> str:
    """Describe the exit of a process: ``was killed by SIGSEGV`` or ``exited with code 3``."""
    if returncode >= 0:
        return f"exited with code {returncode}"
    try:
        return f"was killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was killed by signal {-returncode}"


def get_exit_code_or_signal(returncode: int) -> str:
    """Return only the exit code or the signal's name, such as ``3`` or ``SIGSEGV``."""
    return describe_exit(returncode).rpartition(" ")[2]
