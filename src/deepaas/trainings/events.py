"""Events of trainings, as streams that clients can resume.

An event's id holds the byte offsets of the files it was read from, so replay needs no other state.
"""

import asyncio
import contextlib
import functools
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any, NamedTuple, Self

from deepaas import reporting
from deepaas.errors import StoreUnavailable, TrainingNotFound
from deepaas.model.json_encoding import dumps_jsonable
from deepaas.thread_pools import READING_EXECUTOR, run_in_executor
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.record import TrainingRecord
from deepaas.trainings.tail import Tail, find_partial_line
from deepaas.trainings.terminal_output import TerminalLogReader

_POLL_INTERVAL_S = 0.25
_READ_TIMEOUT_S = 1.0
_MAX_OFFSET_DIGITS = 16
_MAX_WAIT_S = 2.5
_MAX_QUEUED_BATCHES = 64
_MAX_EVENTS_PER_READ = 500
_STATE_FIELDS = ("state", "status", "queue_position")
_PROGRESS_FIELDS = ("progress", "eta_s", "peak_memory_mb")


class EventOffset(NamedTuple):
    """Position in a training's event stream: byte offsets in the metrics file and in the log."""

    metrics: int = 0
    log: int = 0
    is_end: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an event's id; an invalid id means the beginning."""
        metrics, _, rest = text.partition("-")
        log, _, end = rest.partition("-")
        if not (metrics.isdecimal() and log.isdecimal() and max(len(metrics), len(log)) < _MAX_OFFSET_DIGITS):
            return cls()
        return cls(int(metrics), int(log), end == "end")

    def __str__(self) -> str:
        return f"{self.metrics}-{self.log}" + ("-end" if self.is_end else "")


class TrainingEvent(NamedTuple):
    """An event; `kind` is state, progress, metrics, log, unfinished or end.

    `unfinished` is the line being printed, such as a progress bar. Once complete, it is sent as `log`.
    `encoded` is the event in the format of server-sent events; the offset is its id.
    """

    kind: str
    content: Any
    encoded: bytes

    @classmethod
    def create(cls, offset: EventOffset, kind: str, content: Any) -> Self:
        """Create an event; `offset` is the position after it."""
        data = dumps_jsonable(content).decode()
        return cls(kind, content, f"id: {offset}\nevent: {kind}\ndata: {data}\n\n".encode())


class TrainingEventBroadcaster:
    """Streams events of trainings; each training is read once for all of its subscribers.

    `read` returns a training's record, `folder` its folder. Streams end when `is_stopping` returns True.
    """

    def __init__(
        self,
        read: Callable[[str], Awaitable[TrainingRecord]],
        folder: Callable[[str], TrainingFolder],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._read = read
        self._folder = folder
        self._is_stopping = is_stopping
        self._feeds: dict[str, _Feed] = {}

    async def subscribe(self, uuid: str, offset: EventOffset) -> AsyncIterator[list[TrainingEvent] | None]:
        """Yield events after `offset`, including future ones, until the training has finished.

        The current state and progress come first. Yield None every few seconds while there are no events.
        """
        feed = self._feeds.get(uuid)
        if feed is None:
            read = functools.partial(self._read, uuid)
            feed = self._feeds[uuid] = _Feed(read, self._folder(uuid), self._is_stopping)
            feed.start(lambda: self._feeds.pop(uuid, None))
        async for events in feed.subscribe(offset):
            yield events


class _Batch(NamedTuple):
    """Events of one poll, and the offset after them."""

    events: list[TrainingEvent]
    offset: EventOffset


class _Subscriber:
    """Queue of batches for one stream.

    A slow subscriber misses batches (`is_behind`) and must read their events from the files.
    """

    def __init__(self) -> None:
        self.is_behind = False
        self._batches: asyncio.Queue[_Batch | None] = asyncio.Queue()

    def reset(self) -> None:
        self.is_behind = False
        self._batches = asyncio.Queue()

    def put(self, batch: _Batch | None) -> None:
        """Queue a batch, unless the subscriber is behind; None ends the stream."""
        self.is_behind = self.is_behind or self._batches.qsize() >= _MAX_QUEUED_BATCHES
        if batch is None or not self.is_behind:
            self._batches.put_nowait(batch)

    async def get(self) -> _Batch | None:
        """Return the next batch, None at the end. Raise `TimeoutError` after `_MAX_WAIT_S`."""
        return await asyncio.wait_for(self._batches.get(), _MAX_WAIT_S)


class _Feed:
    """Polls one training while it has subscribers, and publishes its events to them."""

    def __init__(
        self,
        read: Callable[[], Awaitable[TrainingRecord]],
        folder: TrainingFolder,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._record = _RecordReader(read)
        self._folder = folder
        self._is_stopping = is_stopping
        self._subscribers: set[_Subscriber] = set()
        self._files: _FileReader | None = None
        self._head = EventOffset()
        self._first_poll_done = asyncio.Event()
        self._is_closed = False
        self._shown_record: dict[str, Any] = {}
        self._partial_line = ""
        self._end_events: list[TrainingEvent] = []
        self._task: asyncio.Task[None] | None = None

    def start(self, on_close: Callable[[], object]) -> None:
        """Start polling; `on_close` is called after the last subscriber left or the stream has ended."""
        self._task = asyncio.create_task(self._run(on_close))

    async def subscribe(self, offset: EventOffset) -> AsyncIterator[list[TrainingEvent] | None]:
        """Implement `TrainingEventBroadcaster.subscribe`."""
        subscriber = _Subscriber()
        self._subscribers.add(subscriber)
        try:
            while not self._first_poll_done.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._first_poll_done.wait(), _MAX_WAIT_S)
                yield None
            while self._files:
                # No await until `past` is created: later batches are queued for this subscriber.
                subscriber.reset()
                head, end, is_done = self._head, self._end_events, self._is_closed
                now, unfinished = self._create_record_events(offset), self._create_partial_line_events()
                past = _FileReader(self._folder, offset, head)
                yield now
                while events := await run_in_executor(READING_EXECUTOR, past.read_events, is_end=bool(end)):
                    yield events
                offset = head
                if end or is_done:
                    yield end
                    return
                yield unfinished
                while not subscriber.is_behind:
                    try:
                        batch = await subscriber.get()
                    except TimeoutError:
                        yield None
                        continue
                    if batch is None:
                        return
                    offset = batch.offset
                    yield batch.events
        finally:
            self._subscribers.discard(subscriber)

    async def _run(self, on_close: Callable[[], object]) -> None:
        try:
            while self._subscribers and not self._is_stopping() and not self._end_events:
                try:
                    training = await self._record.read()
                except TrainingNotFound:
                    return  # purged
                if training:
                    await self._poll(training)
                    self._first_poll_done.set()
                if not self._end_events:
                    await asyncio.sleep(_POLL_INTERVAL_S)
        finally:
            on_close()
            self._is_closed = True
            self._first_poll_done.set()
            for subscriber in self._subscribers:
                subscriber.put(None)

    async def _poll(self, training: TrainingRecord) -> None:
        """Publish new events. The record was read before the files: once it is final, they are complete."""
        if self._files is None:
            self._files = await run_in_executor(READING_EXECUTOR, _FileReader.at_partial_lines, self._folder)
            self._head = self._files.offset
        self._publish_record(training.to_v2_json())
        while events := await run_in_executor(
            READING_EXECUTOR, self._files.read_events, is_end=training.state.is_final
        ):
            self._head = self._files.offset
            self._publish(events)
        if training.state.is_final:
            end = self._head._replace(is_end=True)
            self._end_events = [TrainingEvent.create(end, "end", training.to_v2_json())]
            for subscriber in self._subscribers:
                subscriber.put(_Batch(self._end_events, end))
        elif self._files.partial_line != self._partial_line:
            self._partial_line = self._files.partial_line
            line = {"line": self._partial_line}
            self._publish([TrainingEvent.create(self._head, "unfinished", line)])

    def _publish_record(self, record: dict[str, Any]) -> None:
        """Publish the state and the progress if they changed."""
        before, self._shown_record = self._shown_record, record
        if _pick(record, _STATE_FIELDS) != _pick(before, _STATE_FIELDS):
            self._publish([TrainingEvent.create(self._head, "state", record)])
        progress = _pick(record, _PROGRESS_FIELDS)
        if progress != _pick(before, _PROGRESS_FIELDS):
            self._publish([TrainingEvent.create(self._head, "progress", progress)])

    def _create_record_events(self, offset: EventOffset) -> list[TrainingEvent]:
        """Return the current state and progress, for a subscriber that has yet to read from `offset` on."""
        progress = _pick(self._shown_record, _PROGRESS_FIELDS)
        events = [TrainingEvent.create(offset, "state", self._shown_record)]
        return [*events, TrainingEvent.create(offset, "progress", progress)] if progress else events

    def _create_partial_line_events(self) -> list[TrainingEvent]:
        line = {"line": self._partial_line}
        return [TrainingEvent.create(self._head, "unfinished", line)] if self._partial_line else []

    def _publish(self, events: list[TrainingEvent]) -> None:
        for subscriber in self._subscribers:
            subscriber.put(_Batch(events, self._head))


class _FileReader:
    """Reads metrics and log of a training step by step, from `start` up to `end`, if given."""

    def __init__(self, folder: TrainingFolder, start: EventOffset, end: EventOffset | None = None) -> None:
        self._metrics = Tail(folder.metrics, start.metrics, end and end.metrics)
        self._log = TerminalLogReader(folder.log, start.log, end and end.log)

    @classmethod
    def at_partial_lines(cls, folder: TrainingFolder) -> Self:
        """Start at the incomplete last lines."""
        return cls(folder, EventOffset(find_partial_line(folder.metrics), find_partial_line(folder.log)))

    @property
    def offset(self) -> EventOffset:
        """Where the next step starts."""
        return EventOffset(self._metrics.offset, self._log.offset)

    @property
    def partial_line(self) -> str:
        """The line of the log being printed."""
        return self._log.partial_line

    def read_events(self, *, is_end: bool) -> list[TrainingEvent]:
        """Return some new events, none if there are none. At the end, the last line needs no line break."""
        return list(itertools.islice(self._iter_events(is_end=is_end), _MAX_EVENTS_PER_READ))

    def _iter_events(self, *, is_end: bool) -> Iterator[TrainingEvent]:
        for report in reporting.read_reports(self._metrics.read_lines()):
            yield TrainingEvent.create(self.offset, "metrics", report)
        for line in self._log.read_lines(include_partial=is_end):
            yield TrainingEvent.create(self.offset, "log", {"line": line})


class _RecordReader:
    """Reads a training's record without waiting for a slow database."""

    def __init__(self, read: Callable[[], Awaitable[TrainingRecord]]) -> None:
        self._read = read
        self._pending_read: asyncio.Future[TrainingRecord] | None = None

    async def read(self) -> TrainingRecord | None:
        """Return the record, or None if the database does not return it within a second.

        The next call continues a pending read. Raise `TrainingNotFound`.
        """
        if self._pending_read is None:
            self._pending_read = asyncio.ensure_future(self._read())
            self._pending_read.add_done_callback(lambda reading: reading.cancelled() or reading.exception())
        done, _ = await asyncio.wait([self._pending_read], timeout=_READ_TIMEOUT_S)
        if not done:
            return None
        reading, self._pending_read = self._pending_read, None
        with contextlib.suppress(StoreUnavailable):
            return reading.result()
        return None


def _pick(record: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: record[name] for name in names if name in record}
