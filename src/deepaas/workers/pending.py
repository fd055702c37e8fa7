"""A call that waits for its outcome, in the queue or in a worker's pipe. It must not know either."""

import asyncio

from deepaas.files import Scratch
from deepaas.messages import Body, Failed
from deepaas.workers.stream import Stream


class Pending:
    """A call that waits for its outcome.

    `scratch` holds its files. `since` is when it came, in the loop's time. `together` is how many calls,
    itself included, were sent to be run together; one that `goes_alone` was among them when something went
    wrong. `stream` is the outcome when that comes in chunks, from the first one on.
    """

    __slots__ = ("content", "goes_alone", "losses", "outcome", "scratch", "since", "stream", "together")

    def __init__(
        self,
        content: bytes,
        outcome: asyncio.Future[Body | Failed | Stream],
        since: float,
        scratch: Scratch | None = None,
    ) -> None:
        self.content = content
        self.outcome = outcome
        self.since = since
        self.scratch = scratch
        self.losses = 0
        self.together = 1
        self.goes_alone = False
        self.stream: Stream | None = None

    def begin(self, stream: Stream) -> None:
        """Give the call an outcome that is still coming."""
        self.stream = stream
        self.outcome.set_result(stream)

    def fail(self, error: Exception) -> None:
        """End the call with an error, unless it has ended."""
        if self.stream:
            self.stream.fail(error)
        elif not self.outcome.done():
            self.outcome.set_exception(error)
