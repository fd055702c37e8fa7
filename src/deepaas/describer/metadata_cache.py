"""The metadata of a model: one request at a time, and the last metadata while none arrives."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

from deepaas.errors import DeepaasError, ModelUnavailable, PredictionTimeout
from deepaas.log import get_logger
from deepaas.model.failures import strip_folders

_INITIAL_BACKOFF_S = 5.0
_MAX_BACKOFF_S = 300.0
_log = get_logger(__name__)


class MetadataCache:
    """Reads metadata with `request`, which gets a time limit in seconds.

    Concurrent readers share one request. A reader waits for at most `timeout_s`; then it gets the last
    metadata, or a placeholder with the reason. After a request that exceeded the limit, none is sent for a
    while, because each one costs a restart of the describer. After `make_static`, none is sent at all.
    """

    def __init__(
        self, name: str, request: Callable[[float], Awaitable[dict[str, Any]]], timeout_s: float
    ) -> None:
        self._name = name
        self._request = request
        self._timeout_s = timeout_s
        self._is_static = False
        self._last: dict[str, Any] | None = None
        self._problem = "the model is being loaded"
        self._task: asyncio.Task[None] | None = None
        self._backoff_s = _INITIAL_BACKOFF_S
        self._next_request_at = 0.0

    async def read(self) -> dict[str, Any]:
        """Return the current metadata, or the best substitute."""
        self.refresh()
        if self._task:
            await asyncio.wait([self._task], timeout=self._timeout_s)
        return self._last or self._build_placeholder()

    def refresh(self) -> None:
        """Request the metadata in the background, unless a request is running or not due yet."""
        is_due = not self._is_static and asyncio.get_running_loop().time() >= self._next_request_at
        if is_due and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._update(), context=contextvars.Context())

    def reset(self) -> None:
        """Request the metadata again: the model was loaded in a new process."""
        self.close()
        self._task = None
        self._is_static = False
        self._backoff_s = _INITIAL_BACKOFF_S
        self._next_request_at = 0.0
        self.refresh()

    async def make_static(self) -> bool:
        """Send the current metadata from now on, without requests; return false if there are none."""
        await self.read()
        self._is_static = self._last is not None
        return self._is_static

    def close(self) -> None:
        """Cancel a running request."""
        if self._task:
            self._task.cancel()

    async def _update(self) -> None:
        try:
            self._last = await self._request(self._timeout_s)
            self._backoff_s = _INITIAL_BACKOFF_S
        except PredictionTimeout:
            self._next_request_at = asyncio.get_running_loop().time() + self._backoff_s
            self._problem = f"get_metadata() did not return within {self._timeout_s:g} s"
            _log.warning(
                "Model %r: get_metadata() did not return within %g s (--metadata-timeout); "
                "serving its %s, next attempt in %g s at the earliest",
                self._name,
                self._timeout_s,
                "last metadata" if self._last else "name only",
                self._backoff_s,
            )
            self._backoff_s = min(2 * self._backoff_s, _MAX_BACKOFF_S)
        except ModelUnavailable as error:  # logged by the pool
            self._problem = error.message
        except DeepaasError as error:
            self._problem = error.message
            _log.warning("The metadata of model %r cannot be read: %s", self._name, error)

    def _build_placeholder(self) -> dict[str, Any]:
        reason = strip_folders(self._problem).rstrip(".")
        return {
            "id": self._name,
            "name": self._name,
            "description": f"No metadata could be loaded: {reason}.",
        }
