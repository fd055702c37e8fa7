"""What passes between the server and its actors. Both ends import it, so it must not import Ray."""

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

PIECE_BYTES = 4 << 20
"""How much of a file goes at a time: all that either end, and the object store, holds of it at once."""


class Heard(NamedTuple):
    """What a worker's process said and printed since the last time, and how it stands.

    `number` counts from 0, since answers may overtake each other. `said` is framed. `code` and `has_ended`
    tell how it ended; `begun` is the last call that it has begun.
    """

    number: int
    said: bytes
    printed: bytes
    is_running: bool
    begun: int
    has_ended: bool
    code: int


class InOrder(Generic[T]):
    """Puts numbered things, which may come in any order, in the order of their numbers."""

    def __init__(self) -> None:
        self._next = 0
        self._early: dict[int, T] = {}

    def add(self, number: int, thing: T) -> list[T]:
        """Return what can be used now that `thing` has come."""
        self._early[number] = thing
        usable = []
        while self._next in self._early:
            usable.append(self._early.pop(self._next))
            self._next += 1
        return usable
