"""Thread pools of the server, one for each kind of work, so that none waits for work of another kind.

All threads run the server's own code: user code runs in other processes. What may take long, such as hashing
the files of a training, has a pool of its own.
"""

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

LARGE_BYTES = 1 << 16
"""Larger requests are parsed, validated and encoded in threads."""
_VERY_LARGE_BYTES = 1 << 20


class MeasuredExecutor(ThreadPoolExecutor):
    """A thread pool that counts the calls that wait for a thread."""

    def __init__(self, name: str, max_workers: int) -> None:
        super().__init__(max_workers, f"deepaas-{name}")
        self.name = name
        self._unfinished: set[Future[Any]] = set()

    @property
    def queue_length(self) -> int:
        """The number of calls that wait for a thread."""
        return max(0, len(self._unfinished) - self._max_workers)

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Queue a call."""
        future = super().submit(fn, *args, **kwargs)
        self._unfinished.add(future)
        future.add_done_callback(self._unfinished.discard)
        return future


PARSING_EXECUTOR = MeasuredExecutor("parsing", 2)
"""Parses and validates large requests. More threads would only compete for the GIL."""
_LARGE_PARSING_EXECUTOR = MeasuredExecutor("parsing-very-large", 1)
"""Parses and validates requests that take seconds, so that they do not delay other large requests."""
FILES_EXECUTOR = MeasuredExecutor("files", 8)
"""Reads and writes the files of requests and responses."""
READING_EXECUTOR = MeasuredExecutor("reading", 4)
"""Reads logs, metrics and events of trainings."""
TRAINING_FILES_EXECUTOR = MeasuredExecutor("training-files", 4)
"""Writes, hashes and deletes the files of trainings."""
DATABASE_EXECUTOR = MeasuredExecutor("database", 8)
"""Runs database queries about trainings."""
DEFAULT_EXECUTOR = MeasuredExecutor("default", 4)
"""Runs what asyncio and aiohttp run in threads: they resolve names, and open static files."""
EXECUTORS = (
    PARSING_EXECUTOR,
    _LARGE_PARSING_EXECUTOR,
    FILES_EXECUTOR,
    READING_EXECUTOR,
    TRAINING_FILES_EXECUTOR,
    DATABASE_EXECUTOR,
    DEFAULT_EXECUTOR,
)


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
