"""What happens in trainings, as streams that can be taken up where they were left.

An event's id holds the offsets in the files it was read from, so nothing more needs to be kept to replay.
"""

import asyncio
import contextlib
import functools
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any, NamedTuple, Self

from deepaas import reporting
from deepaas.errors import StoreUnavailable, TrainingNotFound
from deepaas.threads import READING, run_in
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.tail import Tail, find_unfinished_line
from deepaas.trainings.terminal import Lines
from deepaas.trainings.training import Training

_LOOK_S = 0.25
_LONGEST_READ_S = 1.0
_LONGEST_OFFSET = 16
_LONGEST_WAIT_S = 2.5
_MOST_WAITING_BATCHES = 64
_EVENTS_IN_A_STEP = 500
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


class Events:
    """The events of trainings. Each training that is followed is read once, for all who follow it.

    `read` returns a training's record, `folder` its folder; `encode` makes of an event the bytes that are
    sent. Streams end when `is_over`.
    """

    def __init__(
        self,
        read: Callable[[str], Awaitable[Training]],
        folder: Callable[[str], TrainingFolder],
        encode: Callable[[Event], bytes],
        is_over: Callable[[], bool],
    ) -> None:
        self._read = read
        self._folder = folder
        self._encode = encode
        self._is_over = is_over
        self._feeds: dict[str, _Feed] = {}

    async def follow(self, uuid: str, position: Position) -> AsyncIterator[bytes | None]:
        """Yield what happened since `position`, and what happens, until the training has ended.

        The state and the progress come first, as they are now. Yield None now and then, where there is
        nothing else to yield.
        """
        feed = self._feeds.get(uuid)
        if feed is None:
            read = functools.partial(self._read, uuid)
            feed = self._feeds[uuid] = _Feed(read, self._folder(uuid), self._encode, self._is_over)
            feed.start(lambda: self._feeds.pop(uuid, None))
        async for content in feed.follow(position):
            yield content


class _Batch(NamedTuple):
    """Events that were found in one look, as bytes, and the position behind them."""

    content: bytes
    position: Position


class _Follower:
    """Waits for the batches of a feed.

    One that lets too many wait loses them, and has to read what they hold from the files.
    """

    def __init__(self) -> None:
        self.is_behind = False
        self._batches: asyncio.Queue[_Batch | None] = asyncio.Queue()

    def begin_anew(self) -> None:
        """Forget the batches that wait."""
        self.is_behind = False
        self._batches = asyncio.Queue()

    def give(self, batch: _Batch | None) -> None:
        """Let a batch wait; None is the end."""
        self.is_behind = self.is_behind or self._batches.qsize() >= _MOST_WAITING_BATCHES
        if batch is None or not self.is_behind:
            self._batches.put_nowait(batch)

    async def next(self) -> _Batch | None:
        """Return the next batch, or None at the end. Raise `TimeoutError` where none comes for some time."""
        return await asyncio.wait_for(self._batches.get(), _LONGEST_WAIT_S)


class _Feed:
    """What happens in one training, looked at while anybody follows it."""

    def __init__(
        self,
        read: Callable[[], Awaitable[Training]],
        folder: TrainingFolder,
        encode: Callable[[Event], bytes],
        is_over: Callable[[], bool],
    ) -> None:
        self._record = _Record(read)
        self._folder = folder
        self._encode = encode
        self._is_over = is_over
        self._followers: set[_Follower] = set()
        self._files: _Files | None = None
        self._head = Position()
        self._has_looked = asyncio.Event()
        self._is_done = False
        self._now: list[Event] = []
        self._state: Any = None
        self._progress: Any = {}
        self._line = ""
        self._end = b""
        self._task: asyncio.Task[None] | None = None

    def start(self, forget: Callable[[], object]) -> None:
        """Look from now on; `forget` is called when nobody follows any more, or nothing more can come."""
        self._task = asyncio.create_task(self._run(forget))

    async def follow(self, position: Position) -> AsyncIterator[bytes | None]:
        """Do what `Events.follow` says."""
        follower = _Follower()
        self._followers.add(follower)
        try:
            while not self._has_looked.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._has_looked.wait(), _LONGEST_WAIT_S)
                yield None
            while self._files:
                # Nothing may be awaited between these: what comes later waits for the follower.
                follower.begin_anew()
                head, end, is_done = self._head, self._end, self._is_done
                now, unfinished = self._now, self._unfinished()
                past = _Files(self._folder, position, head)
                yield self._encoded(now)
                while events := await run_in(READING, past.more, is_end=bool(end)):
                    yield await run_in(READING, self._encoded, events)
                position = head
                if end or is_done:
                    yield end
                    return
                yield self._encoded(unfinished)
                while not follower.is_behind:
                    try:
                        batch = await follower.next()
                    except TimeoutError:
                        yield None
                        continue
                    if batch is None:
                        return
                    position = batch.position
                    yield batch.content
        finally:
            self._followers.discard(follower)

    async def _run(self, forget: Callable[[], object]) -> None:
        try:
            while self._followers and not self._is_over() and not self._end:
                try:
                    training = await self._record.look()
                except TrainingNotFound:
                    return  # it was purged meanwhile
                if training:
                    await self._look(training)
                    self._has_looked.set()
                if not self._end:
                    await asyncio.sleep(_LOOK_S)
        finally:
            forget()
            self._is_done = True
            self._has_looked.set()
            for follower in self._followers:
                follower.give(None)

    async def _look(self, training: Training) -> None:
        """Give the followers what is new. The record was read before the files, which are then complete."""
        if self._files is None:
            self._files = await run_in(READING, _Files.at_end, self._folder)
            self._head = self._files.position
        self._note(training.as_v2())
        while events := await run_in(READING, self._files.more, is_end=training.state.is_end):
            self._head = self._files.position
            self._give(events)
        if training.state.is_end:
            end = self._head._replace(is_end=True)
            self._end = self._encode(Event(str(end), "end", training.as_v2()))
            for follower in self._followers:
                follower.give(_Batch(self._end, end))
        elif self._files.unfinished != self._line:
            self._line = self._files.unfinished
            self._give([Event(str(self._head), "unfinished", {"line": self._line})])

    def _note(self, record: dict[str, Any]) -> None:
        """Give the followers the state and the progress, where they have changed."""
        progress = {name: record[name] for name in _PROGRESS if name in record}
        state = {name: record.get(name) for name in ("state", "status", "queue_position")}
        events = [Event(str(self._head), "state", record), Event(str(self._head), "progress", progress)]
        if state != self._state:
            self._give(events[:1])
        if progress != self._progress:
            self._give(events[1:])
        self._state, self._progress, self._now = state, progress, events if progress else events[:1]

    def _unfinished(self) -> list[Event]:
        return [Event(str(self._head), "unfinished", {"line": self._line})] if self._line else []

    def _give(self, events: list[Event]) -> None:
        batch = _Batch(self._encoded(events), self._head)
        for follower in self._followers:
            follower.give(batch)

    def _encoded(self, events: Iterable[Event]) -> bytes:
        return b"".join(map(self._encode, events))


class _Files:
    """The metrics and the log of a training, read step by step from one position, up to another if given."""

    def __init__(self, folder: TrainingFolder, begin: Position, end: Position | None = None) -> None:
        self._metrics = Tail(folder.metrics, begin.metrics, end and end.metrics)
        self._log = Lines(folder.log, begin.log, end and end.log)

    @classmethod
    def at_end(cls, folder: TrainingFolder) -> Self:
        """Begin with the lines that have no end yet."""
        return cls(folder, Position(find_unfinished_line(folder.metrics), find_unfinished_line(folder.log)))

    @property
    def position(self) -> Position:
        """Where the next step begins."""
        return Position(self._metrics.offset, self._log.offset)

    @property
    def unfinished(self) -> str:
        """The line of the log that is being printed."""
        return self._log.unfinished

    def more(self, *, is_end: bool) -> list[Event]:
        """Return some events; none when nothing is new. At the end, the last line needs no line break."""
        return list(itertools.islice(self._events(is_end=is_end), _EVENTS_IN_A_STEP))

    def _events(self, *, is_end: bool) -> Iterator[Event]:
        for said in reporting.read(self._metrics.lines()):
            yield Event(str(self.position), "metrics", said)
        for line in self._log.lines(also_unfinished=is_end):
            yield Event(str(self.position), "log", {"line": line})


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
