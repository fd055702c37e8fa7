"""What happens in a training, as a stream that can be taken up where it was left.

An event's id holds the offsets in the files it was read from, so nothing more needs to be kept to replay.
It must not know how events are sent.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple, Self

from deepaas import reporting
from deepaas.errors import StoreUnavailable, TrainingNotFound
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.tail import Tail
from deepaas.trainings.terminal import Lines
from deepaas.trainings.training import Training

_LOOK_S = 0.25
_LONGEST_READ_S = 1.0
_LONGEST_OFFSET = 16
_PROGRESS = ("progress", "eta_s", "peak_memory_mb")


class Event(NamedTuple):
    """Something that happened: `kind` is state, progress, metrics, log, unfinished or end.

    What is unfinished is the line that is being printed, such as a bar; when it ends, it is of kind log.
    """

    id: str
    kind: str
    content: Any


class Position(NamedTuple):
    """How far a reader of events has come, in bytes of the metrics and of the log."""

    metrics: int = 0
    log: int = 0
    is_end: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an event's id; anything else is the beginning."""
        metrics, _, rest = text.partition("-")
        log, _, end = rest.partition("-")
        if not (metrics.isdecimal() and log.isdecimal() and max(len(metrics), len(log)) < _LONGEST_OFFSET):
            return cls()
        return cls(int(metrics), int(log), end == "end")

    def __str__(self) -> str:
        return f"{self.metrics}-{self.log}" + ("-end" if self.is_end else "")


async def events(
    read: Callable[[], Awaitable[Training]],
    folder: TrainingFolder,
    position: Position,
    is_over: Callable[[], bool],
) -> AsyncIterator[Event | None]:
    """Yield what happened since `position`, and what happens, until the training has ended, or `is_over`.

    `read` returns the training's record. The state and the progress come first, as they are now. Yield None
    after each look that found nothing, and while the store cannot be read.
    """
    metrics, log = Tail(folder.metrics, position.metrics), Lines(folder.log, position.log)
    shown_state: Any = None
    shown_progress: Any = {}
    shown_line = ""
    reader = _Record(read)
    while not is_over():
        # The record is read before the files: when it says that the training has ended, they are complete.
        try:
            training = await reader.look()
        except TrainingNotFound:
            return  # it was purged meanwhile
        if training is None:
            yield None
            await asyncio.sleep(_LOOK_S)
            continue
        record = training.as_v2()
        progress = {name: record[name] for name in _PROGRESS if name in record}
        state = {name: record.get(name) for name in ("state", "status", "queue_position")}
        if state != shown_state:
            yield Event(_id(metrics, log), "state", record)
        if progress != shown_progress:
            yield Event(_id(metrics, log), "progress", progress)
        shown_state, shown_progress = state, progress
        for said in reporting.read(metrics.lines()):
            yield Event(_id(metrics, log), "metrics", said)
        for line in log.lines(also_unfinished=training.state.is_end):
            yield Event(_id(metrics, log), "log", {"line": line})
        if log.unfinished != shown_line and not training.state.is_end:
            shown_line = log.unfinished
            yield Event(_id(metrics, log), "unfinished", {"line": shown_line})
        if training.state.is_end:
            yield Event(str(Position(metrics.offset, log.offset, is_end=True)), "end", record)
            return
        yield None
        await asyncio.sleep(_LOOK_S)


class _Record:
    """A training's record, read without waiting for a store that takes long."""

    def __init__(self, read: Callable[[], Awaitable[Training]]) -> None:
        self._read = read
        self._reading: asyncio.Future[Training] | None = None

    async def look(self) -> Training | None:
        """Return the record, or None where the store does not have it within a second.

        Raise `TrainingNotFound`.
        """
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._read())
            self._reading.add_done_callback(lambda reading: reading.cancelled() or reading.exception())
        done, _ = await asyncio.wait([self._reading], timeout=_LONGEST_READ_S)
        if not done:
            return None
        reading, self._reading = self._reading, None
        with contextlib.suppress(StoreUnavailable):
            return reading.result()
        return None


def _id(metrics: Tail, log: Lines) -> str:
    return str(Position(metrics.offset, log.offset))
