"""Messages between the server and a worker's actor, and their order."""

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

CHUNK_BYTES = 4 << 20
"""How much of a file goes at a time: all that either end, and the object store, holds of it at once."""


class WorkerUpdate(NamedTuple):
    """What a worker's process said and printed since the last time, and how it stands.

    `number` counts from 0, since answers may overtake each other. `said` is framed. `code` and `has_ended`
    tell how it ended; `begun` is the last call that it has begun.
    """

    number: int
    frames: bytes
    output: bytes
    is_running: bool
    last_started: int
    has_exited: bool
    exit_code: int


class Reorderer(Generic[T]):
    """Puts numbered things, which may come in any order, in the order of their numbers."""

    def __init__(self) -> None:
        self._next = 0
        self._out_of_order: dict[int, T] = {}

    def add(self, number: int, item: T) -> list[T]:
        """Return what can be used now that `thing` has come."""
        self._out_of_order[number] = item
        usable = []
        while self._next in self._out_of_order:
            usable.append(self._out_of_order.pop(self._next))
            self._next += 1
        return usable
