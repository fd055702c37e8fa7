"""How far a training is, by what counts in its output: bars, epochs and steps, in each other."""

from typing import NamedTuple


class CounterReading(NamedTuple):
    """A part of a line that counts: `done` of `total`, under a name that stays the same when it counts on.

    `is_part` says that it counts within one epoch, and nobody knows how many there are.
    """

    name: str
    done: float
    total: float
    is_within_epoch: bool = False
    is_rich_bar: bool = False

    @property
    def is_bar(self) -> bool:
        """Whether a bar counts; others are words, such as `epoch`."""
        return self.name.startswith("|")

    @property
    def is_batch_count(self) -> bool:
        """Whether it counts what epochs are made of."""
        return self.name in ("step", "batch")


class _Counter:
    """What counts under one name; it is stale once what is around it has counted on."""

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
    """The counters that run, each inside the one before: the first one seen is the outermost.

    They are no measure of the training any more when one ends and another, which is not inside of it, begins;
    when the outermost begins again; or when two count on side by side.
    """

    def __init__(self) -> None:
        self._active: list[_Counter] = []
        self._is_unknown = False
        self._is_within_epoch = False
        self._max_progress = 0.0

    def clear_row(self, row: int) -> None:
        """Note that a row shows something else than a counter by now."""
        for counter in self._active:
            counter.row = None if counter.row == row else counter.row

    def update(self, count: CounterReading, row: int) -> None:
        """Note where a counter is, which a row of the terminal shows."""
        place = self._find_index(count, row)
        if place is not None:
            counter = self._active[place]
            is_redrawn = (counter.row, counter.done) == (row, count.done)
            is_another = count.is_bar and counter.row not in (None, row) and count.done == 0
            is_again = (
                not (count.is_bar or is_redrawn) and count.done == counter.done and self._has_finished_inner()
            )
            is_part = count.is_within_epoch and count.name != counter.name
            # A bar like it in another row, an epoch that begins again when what was in it is over, or its
            # label: each shows that the first counter is not of everything.
            self._is_unknown |= place == 0 and (is_another or is_again or is_part)
            self._move_to_row(counter, row)
            counter.name = count.name
            if not is_redrawn:
                self._advance(place, count)
        elif count.is_within_epoch and not self._active:
            self.start_epoch_without_total()
        elif not (self._is_within_epoch and (count.is_bar or count.is_batch_count)):
            self._add(count, row)

    def start_epoch_without_total(self) -> None:
        """Note that one epoch begins: bars and steps are within it, but for those that run already."""
        self._is_within_epoch |= not self._active

    def _has_finished_inner(self) -> bool:
        return len(self._active) > 1 and all(inner.is_finished for inner in self._active[1:])

    def _move_to_row(self, counter: _Counter, row: int) -> None:
        if counter.is_bar:
            self.clear_row(row)
        counter.row = row

    def _find_index(self, count: CounterReading, row: int) -> int | None:
        """Return which counter it is. A bar whose label changes stays in its row."""
        running = [(place, one) for place, one in enumerate(self._active) if one.total == count.total]
        for place, counter in running:
            if counter.name == count.name:
                return place
        for place, counter in running:
            if counter.is_bar and count.is_bar and counter.row == row and counter.done <= count.done:
                return place
        return None

    def estimate_progress(self) -> float | None:
        """Return how far the outermost counter is, with the part that those inside of it add."""
        if self._is_unknown or not self._active:
            return None
        part = 0.0
        for counter in reversed(self._active):
            inside = 0.0 if counter.is_stale else part
            part = min(1.0, (counter.done + (0.0 if counter.is_finished else inside)) / counter.total)
            if counter.is_stale:
                part = 0.0
        # A second bar inside of the same step must not undo what the first one added.
        self._max_progress = max(self._max_progress, part)
        return self._max_progress

    def _advance(self, place: int, count: CounterReading) -> None:
        counter = self._active[place]
        if count.done < counter.done:
            self._is_unknown = self._is_unknown or place == 0
            del self._active[place + 1 :]
        elif count.done > counter.done:
            if counter.is_stale and counter.done > 0:
                self._is_unknown = True  # what is around it has counted on meanwhile: they run side by side
            for inner in self._active[place + 1 :]:
                inner.is_stale = True
        counter.done = count.done
        counter.is_stale = False

    def _add(self, count: CounterReading, row: int) -> None:
        # Two loops over epochs of different numbers follow each other: how many more there are nobody knows.
        names = {counter.name for counter in self._active}
        self._is_unknown = self._is_unknown or (count.name in names and not count.is_bar)
        while len(self._active) > 1 and (self._active[-1].is_finished or self._active[-1].is_stale):
            self._active.pop()
        first = self._active[0] if self._active else None
        if first and first.is_finished:
            self._is_unknown = True
        if first and first.is_bar and first.row == row and not count.is_bar:
            # Its label says by now what it is a part of.
            self._is_unknown = self._is_unknown or first.done > 0
            self._active.insert(0, _Counter(count, row))
            return
        if count.is_bar:
            self.clear_row(row)
        self._active.append(_Counter(count, row))
