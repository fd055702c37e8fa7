"""The event loop of user code: awaits its async functions, and iterates over its streams."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

from deepaas.log import get_logger

if TYPE_CHECKING:
    import asyncio

_log = get_logger(__name__)


class UserEventLoop:
    """One event loop for the async functions of a model, from the first one until `close`.

    It runs only during calls, in the thread of the caller. asyncio is imported for the first async function:
    other models do not wait for the import, which is an eighth of a worker's start.
    """

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    def run(self, awaitable: Any) -> Any:
        """Await something as one task, and return its result."""
        import asyncio  # noqa: PLC0415 - see the class

        if self._runner is None or self._runner.get_loop().is_closed():
            self._runner = asyncio.Runner()
        return self._runner.get_loop().run_until_complete(_await(awaitable))

    def for_each(
        self, stream: Iterator[Any] | AsyncIterator[Any], handle_item: Callable[[Any], object]
    ) -> None:
        """Call `handle_item` with each item of a stream, until it returns True; then close the stream.

        An asynchronous stream is one task from its first item to its end, so that timeouts, cancel scopes and
        context variables work across items.
        """
        if isinstance(stream, AsyncIterator):
            self.run(_for_each_async(stream, handle_item))
            return
        try:
            for item in stream:
                if handle_item(item) is True:
                    break
        finally:
            _close_iterator(stream)

    def close(self) -> None:
        """Cancel the tasks of user code, close its async generators and the loop."""
        runner, self._runner = self._runner, None
        if runner:
            try:
                runner.close()
            except Exception:  # noqa: BLE001 - user code may raise anything
                _log.exception("Could not close the event loop of the model")


async def _await(awaitable: Any) -> Any:
    return await awaitable


async def _for_each_async(stream: AsyncIterator[Any], handle_item: Callable[[Any], object]) -> None:
    try:
        async for item in stream:
            if handle_item(item) is True:
                break
    finally:
        close = getattr(stream, "aclose", None)
        try:
            if close:
                await close()
        except Exception:  # noqa: BLE001 - user code may raise anything
            _log.exception(_CLOSING_FAILED)


def _close_iterator(items: Iterator[Any]) -> None:
    """Close a generator, so that it cleans up; an error is only logged, since the items are complete."""
    close = getattr(items, "close", None)
    try:
        if close:
            close()
    except Exception:  # noqa: BLE001 - user code may raise anything
        _log.exception(_CLOSING_FAILED)


_CLOSING_FAILED = "Could not close the stream that predict() returned"
