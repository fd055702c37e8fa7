"""The threads of the server beside its event loop, by what they are for.

Each kind of work has its own few threads, so that a disk, a database or a model's code that does not answer
holds up nothing else. Files are read and written in the threads of `asyncio.to_thread`, as aiohttp does it.
"""

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

LARGE_BYTES = 1 << 16
"""What is larger is read, validated and encoded in threads."""
_VERY_LARGE_BYTES = 1 << 20
PARSING_EXECUTOR = ThreadPoolExecutor(2, "deepaas-parsing")
"""Reads and validates large requests. More threads would only take the interpreter from each other."""
_LARGE_PARSING_EXECUTOR = ThreadPoolExecutor(1, "deepaas-parsing-very-large")
"""Does the same for what takes seconds, so that other large requests need not wait for it."""
READING_EXECUTOR = ThreadPoolExecutor(4, "deepaas-reading")
"""Reads logs, metrics and events of trainings."""
USER_CODE_EXECUTOR = ThreadPoolExecutor(4, "deepaas-user-code")
"""Runs code of models that the server calls itself: metadata and fields."""
DATABASE_EXECUTOR = ThreadPoolExecutor(8, "deepaas-database")
"""Asks the database of trainings."""


async def run_by_size(
    size_bytes: int, function: Callable[_P, _T], *arguments: _P.args, **values: _P.kwargs
) -> _T:
    """Call a function whose work grows with the size of a request; for a large one, in a thread."""
    if size_bytes <= LARGE_BYTES:
        return function(*arguments, **values)
    threads = PARSING_EXECUTOR if size_bytes <= _VERY_LARGE_BYTES else _LARGE_PARSING_EXECUTOR
    return await run_in_executor(threads, function, *arguments, **values)


async def run_in_executor(
    executor: ThreadPoolExecutor, function: Callable[_P, _T], *arguments: _P.args, **values: _P.kwargs
) -> _T:
    """Call a function in one of the threads, in the context of the caller, as `asyncio.to_thread` does."""
    call = functools.partial(contextvars.copy_context().run, function, *arguments, **values)
    return await asyncio.get_running_loop().run_in_executor(executor, call)
