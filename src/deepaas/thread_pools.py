"""Thread pools of the server, one for each kind of work.

They are separate so that a hanging disk, database or model blocks only its own kind of work. Other files are
read and written with `asyncio.to_thread`, whose threads aiohttp uses, too.
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
"""Larger requests are parsed, validated and encoded in threads."""
_VERY_LARGE_BYTES = 1 << 20
PARSING_EXECUTOR = ThreadPoolExecutor(2, "deepaas-parsing")
"""Parses and validates large requests. More threads would only compete for the GIL."""
_LARGE_PARSING_EXECUTOR = ThreadPoolExecutor(1, "deepaas-parsing-very-large")
"""Parses and validates requests that take seconds, so that they do not delay other large requests."""
READING_EXECUTOR = ThreadPoolExecutor(4, "deepaas-reading")
"""Reads logs, metrics and events of trainings."""
USER_CODE_EXECUTOR = ThreadPoolExecutor(4, "deepaas-user-code")
"""Runs user code that the server calls itself: metadata and fields."""
DATABASE_EXECUTOR = ThreadPoolExecutor(8, "deepaas-database")
"""Runs database queries about trainings."""


async def run_by_size(
    size_bytes: int, function: Callable[_P, _T], *arguments: _P.args, **values: _P.kwargs
) -> _T:
    """Call a function whose work grows with the size of a request; in a thread if the request is large."""
    if size_bytes <= LARGE_BYTES:
        return function(*arguments, **values)
    threads = PARSING_EXECUTOR if size_bytes <= _VERY_LARGE_BYTES else _LARGE_PARSING_EXECUTOR
    return await run_in_executor(threads, function, *arguments, **values)


async def run_in_executor(
    executor: ThreadPoolExecutor, function: Callable[_P, _T], *arguments: _P.args, **values: _P.kwargs
) -> _T:
    """Like `asyncio.to_thread`, with a given executor: the caller's context variables are visible."""
    call = functools.partial(contextvars.copy_context().run, function, *arguments, **values)
    return await asyncio.get_running_loop().run_in_executor(executor, call)
