"""The steps that asking a server takes, said one by one to whoever can take them.

What is asked, and what an answer means, is written once, as generators of steps; a transport takes the steps,
blocking or in an event loop.
"""

from collections.abc import Generator
from typing import Any, Generic, NamedTuple, TypeVar

import httpx

T = TypeVar("T")


class SendRequest(NamedTuple):
    """Send the request; its outcome is the response, read to its end."""

    request: httpx.Request


class OpenStream(NamedTuple):
    """Send the request; its outcome is the response, which `ReadChunk` reads. That of an error is read."""

    request: httpx.Request


class ReadChunk(NamedTuple):
    """Read on in the response that was opened last; the outcome is some bytes, or `None` at its end."""


class Sleep(NamedTuple):
    """Do nothing for a while."""

    seconds: float


class EmitItem(NamedTuple):
    """Give a value to whoever asked, before going on."""

    value: Any


Step = SendRequest | OpenStream | ReadChunk | Sleep | EmitItem
Steps = Generator[Step, Any, T]


class StepCursor(Generic[T]):
    """One walk through steps."""

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps
        self._result: T | None = None

    def advance(self, outcome: Any = None) -> Step | None:
        """Return the step after the one with this outcome, or nothing at the end.

        An outcome that is an exception is raised where the step was said.
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
        """What the steps came to, when there are no more."""
        return self._result  # type: ignore[return-value]  # None only where T is None too, or before the end

    def close(self) -> None:
        """Go no further."""
        self._steps.close()
