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

PARSING = ThreadPoolExecutor(2, "deepaas-parsing")
"""Reads and validates large requests. More threads would only take the interpreter from each other."""
READING = ThreadPoolExecutor(4, "deepaas-reading")
"""Reads logs, metrics and events of trainings."""
USER_CODE = ThreadPoolExecutor(4, "deepaas-user-code")
"""Runs code of models that the server calls itself: metadata and fields."""
DATABASE = ThreadPoolExecutor(8, "deepaas-database")
"""Asks the database of trainings."""


async def run_in(
    threads: ThreadPoolExecutor, function: Callable[_P, _T], *arguments: _P.args, **values: _P.kwargs
) -> _T:
    """Call a function in one of the threads, in the context of the caller, as `asyncio.to_thread` does."""
    call = functools.partial(contextvars.copy_context().run, function, *arguments, **values)
    return await asyncio.get_running_loop().run_in_executor(threads, call)
