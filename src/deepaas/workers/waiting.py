"""The calls that wait for a worker, and which of them go together.

It must not know workers.
"""

import collections
import contextlib
from collections.abc import Iterable

from deepaas.workers.pending import Pending


class Waiting:
    """A queue of calls. Up to `most_together` may leave it at once, and wait `patience_s` for each other."""

    def __init__(self, most_together: int, patience_s: float) -> None:
        self.most_together = most_together
        self._patience_s = patience_s
        self._calls: collections.deque[Pending] = collections.deque()

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, pending: Pending) -> None:
        """Put a call behind all others."""
        self._calls.append(pending)

    def put_back(self, pendings: Iterable[Pending]) -> None:
        """Put calls that had left before all others, in their order."""
        self._calls.extendleft(reversed(list(pendings)))

    def drop(self, pending: Pending) -> None:
        """Let a call go, if it is still here."""
        with contextlib.suppress(ValueError):
            self._calls.remove(pending)

    def fail_all(self, cause: Exception) -> None:
        """End every call with an error."""
        while self._calls:
            self._calls.popleft().fail(cause)

    def oldest_s(self, now_s: float) -> float:
        """Return how long the first call has waited; 0 without one."""
        return now_s - self._calls[0].since if self._calls else 0.0

    def left_s(self, now_s: float) -> float:
        """Return how long the first call should wait for others to go with."""
        if len(self._calls) >= self.most_together or self._calls[0].goes_alone:
            return 0.0
        return self._patience_s - self.oldest_s(now_s)

    def take(self) -> list[Pending]:
        """Return the calls that go next, together; none when all that waited have ended already."""
        taken: list[Pending] = []
        while self._calls and len(taken) < self.most_together:
            if taken and (self._calls[0].goes_alone or taken[0].goes_alone):
                break
            pending = self._calls.popleft()
            if not pending.outcome.done():
                taken.append(pending)
        return taken
