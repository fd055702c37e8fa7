"""Estimates a training's progress from nested counters in its output: bars, epochs and steps."""

from typing import NamedTuple


class CounterReading(NamedTuple):
    """A counter in a line: `done` of `total`. The name stays the same while it counts.

    With `is_within_epoch`, it counts within one epoch, and the number of epochs is unknown.
    """

    name: str
    done: float
    total: float
    is_within_epoch: bool = False
    is_rich_bar: bool = False

    @property
    def is_bar(self) -> bool:
        """Whether it is a progress bar and not a word such as `epoch`."""
        return self.name.startswith("|")

    @property
    def is_batch_count(self) -> bool:
        """Whether it counts steps or batches of an epoch."""
        return self.name in ("step", "batch")


class _Counter:
    """Last reading of a counter; stale once an outer counter has advanced."""

    def __init__(self, count: CounterReading, row: int) -> None:
        self.name = count.name
        self.row: int | None = row
        self.done = count.done
        self.total = count.total
        self.is_stale = False

    @property
    def is_bar(self) -> bool:
        return self.name.startswith("|")

    @property
    def is_finished(self) -> bool:
        return self.done >= self.total


class NestedCounters:
    """The running counters, each nested in the one before; the outermost was seen first.

    Progress becomes unknown when a counter finishes and another starts that is not nested in it, when the
    outermost restarts, or when two advance side by side.
    """

    def __init__(self) -> None:
        self._active: list[_Counter] = []
        self._is_unknown = False
        self._is_within_epoch = False
        self._max_progress = 0.0

    def clear_row(self, row: int) -> None:
        """Record that a terminal row no longer shows a counter."""
        for counter in self._active:
            counter.row = None if counter.row == row else counter.row

    def update(self, count: CounterReading, row: int) -> None:
        """Record a reading that a terminal row shows."""
        index = self._find_index(count, row)
        if index is not None:
            counter = self._active[index]
            is_redrawn = (counter.row, counter.done) == (row, count.done)
            is_another = count.is_bar and counter.row not in (None, row) and count.done == 0
            is_again = (
                not (count.is_bar or is_redrawn) and count.done == counter.done and self._has_finished_inner()
            )
            is_part = count.is_within_epoch and count.name != counter.name
            # Each shows that the outermost counter does not cover the whole training: an equal bar in another
            # row, an epoch repeated after its inner counters finished, or a label with an epoch.
            self._is_unknown |= index == 0 and (is_another or is_again or is_part)
            self._move_to_row(counter, row)
            counter.name = count.name
            if not is_redrawn:
                self._advance(index, count)
        elif count.is_within_epoch and not self._active:
            self.start_epoch_without_total()
        elif not (self._is_within_epoch and (count.is_bar or count.is_batch_count)):
            self._add(count, row)

    def start_epoch_without_total(self) -> None:
        """Record the start of an epoch if no counter runs: later bars and steps count within it."""
        self._is_within_epoch |= not self._active

    def _has_finished_inner(self) -> bool:
        return len(self._active) > 1 and all(inner.is_finished for inner in self._active[1:])

    def _move_to_row(self, counter: _Counter, row: int) -> None:
        if counter.is_bar:
            self.clear_row(row)
        counter.row = row

    def _find_index(self, count: CounterReading, row: int) -> int | None:
        """Return the index of the reading's counter. A bar whose label changes stays in its row."""
        candidates = [(i, counter) for i, counter in enumerate(self._active) if counter.total == count.total]
        for index, counter in candidates:
            if counter.name == count.name:
                return index
        for index, counter in candidates:
            if counter.is_bar and count.is_bar and counter.row == row and counter.done <= count.done:
                return index
        return None

    def estimate_progress(self) -> float | None:
        """Return the progress of the outermost counter, refined by the inner ones; None if unknown."""
        if self._is_unknown or not self._active:
            return None
        part = 0.0
        for counter in reversed(self._active):
            inside = 0.0 if counter.is_stale else part
            part = min(1.0, (counter.done + (0.0 if counter.is_finished else inside)) / counter.total)
            if counter.is_stale:
                part = 0.0
        # A second bar within the same step must not reduce the progress.
        self._max_progress = max(self._max_progress, part)
        return self._max_progress

    def _advance(self, index: int, count: CounterReading) -> None:
        counter = self._active[index]
        if count.done < counter.done:
            self._is_unknown = self._is_unknown or index == 0
            del self._active[index + 1 :]
        elif count.done > counter.done:
            if counter.is_stale and counter.done > 0:
                self._is_unknown = True  # the outer counter advanced too: they run side by side
            for inner in self._active[index + 1 :]:
                inner.is_stale = True
        counter.done = count.done
        counter.is_stale = False

    def _add(self, count: CounterReading, row: int) -> None:
        # Consecutive loops over different numbers of epochs: how many follow is unknown.
        names = {counter.name for counter in self._active}
        self._is_unknown = self._is_unknown or (count.name in names and not count.is_bar)
        while len(self._active) > 1 and (self._active[-1].is_finished or self._active[-1].is_stale):
            self._active.pop()
        first = self._active[0] if self._active else None
        if first and first.is_finished:
            self._is_unknown = True
        if first and first.is_bar and first.row == row and not count.is_bar:
            # The bar's label now names an outer counter.
            self._is_unknown = self._is_unknown or first.done > 0
            self._active.insert(0, _Counter(count, row))
            return
        if count.is_bar:
            self.clear_row(row)
        self._active.append(_Counter(count, row))
