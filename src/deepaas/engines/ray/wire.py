"""Messages between the server and a worker's actor, and restoring their order."""

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

CHUNK_BYTES = 4 << 20
"""Chunk size of file transfers; bounds the memory used by both sides and by Ray's object store."""


class WorkerUpdate(NamedTuple):
    """Messages and output of a worker process since the last update, and its state.

    `number` counts updates from 0, since they may arrive out of order. `frames` are framed messages.
    `last_started` is the number of the last started call. `exit_code` is valid only with `has_exited`.
    """

    number: int
    frames: bytes
    output: bytes
    is_running: bool
    last_started: int
    has_exited: bool
    exit_code: int


class Reorderer(Generic[T]):
    """Restores the order of numbered items that arrive in any order."""

    def __init__(self) -> None:
        self._next = 0
        self._out_of_order: dict[int, T] = {}

    def add(self, number: int, item: T) -> list[T]:
        """Add an item; return the items that are next in order, possibly none."""
        self._out_of_order[number] = item
        usable = []
        while self._next in self._out_of_order:
            usable.append(self._out_of_order.pop(self._next))
            self._next += 1
        return usable
