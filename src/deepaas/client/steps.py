"""The client's I/O as data: generators yield steps, and a transport executes them, blocking or in asyncio.

So the blocking and the asyncio client share all code but the transport.
"""

from collections.abc import Generator
from typing import Any, Generic, NamedTuple, TypeVar

import httpx

T = TypeVar("T")


class SendRequest(NamedTuple):
    """Send the request; the outcome is the complete response."""

    request: httpx.Request


class OpenStream(NamedTuple):
    """Send the request; the outcome is the response, to read with `ReadChunk` unless it is an error."""

    request: httpx.Request


class ReadChunk(NamedTuple):
    """Read from the open stream; the outcome is a chunk of bytes, or `None` at the end."""


class Sleep(NamedTuple):
    """Wait before the next step."""

    seconds: float


class EmitItem(NamedTuple):
    """Pass an item to the caller, who iterates over the steps' results."""

    value: Any


Step = SendRequest | OpenStream | ReadChunk | Sleep | EmitItem
Steps = Generator[Step, Any, T]


class StepCursor(Generic[T]):
    """Runs a generator of steps, and keeps its return value."""

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps
        self._result: T | None = None

    def advance(self, outcome: Any = None) -> Step | None:
        """Send the outcome of the previous step and return the next step, or `None` at the end.

        An outcome that is an exception is raised in the generator, at its `yield`.
        """
        try:
            if isinstance(outcome, Exception):
                return self._steps.throw(outcome)
            return self._steps.send(outcome)
        except StopIteration as end:
            self._result = end.value
            return None

    @property
    def result(self) -> T:
        """The generator's return value, after its last step."""
        return self._result  # type: ignore[return-value]  # None only where T is None too, or before the end

    def close(self) -> None:
        """Close the generator."""
        self._steps.close()
