"""How far a training is, by what counts in its output: bars, epochs and steps, in each other."""

from typing import NamedTuple


class Count(NamedTuple):
    """A part of a line that counts: `done` of `total`, under a name that stays the same when it counts on.

    `is_part` says that it counts within one epoch, and nobody knows how many there are.
    """

    name: str
    done: float
    total: float
    is_part: bool = False
    is_of_rich: bool = False

    @property
    def is_bar(self) -> bool:
        """Whether a bar counts; others are words, such as `epoch`."""
        return self.name.startswith("|")


class _Counter:
    """What counts under one name; it is stale once what is around it has counted on."""

    def __init__(self, count: Count, row: int) -> None:
        self.name = count.name
        self.row: int | None = row
        self.done = count.done
        self.total = count.total
        self.is_stale = False

    @property
    def is_bar(self) -> bool:
        return self.name.startswith("|")

    @property
    def is_over(self) -> bool:
        return self.done >= self.total


class Counters:
    """The counters that run, each inside the one before: the first one seen is the outermost.

    They are no measure of the training any more when one ends and another, which is not inside of it, begins;
    when the outermost begins again; or when two count on side by side.
    """

    def __init__(self) -> None:
        self._running: list[_Counter] = []
        self._is_unknown = False
        self._is_part = False
        self._highest = 0.0

    def forget(self, row: int) -> None:
        """Note that a row shows something else than a counter by now."""
        for counter in self._running:
            counter.row = None if counter.row == row else counter.row

    def count(self, count: Count, row: int) -> None:
        """Note where a counter is, which a row of the terminal shows."""
        place = self._place(count, row)
        if place is not None:
            counter = self._running[place]
            is_redrawn = (counter.row, counter.done) == (row, count.done)
            is_another = count.is_bar and counter.row not in (None, row) and count.done == 0
            # Its label, or a bar like it in another row, shows that the first bar is not of everything.
            self._is_unknown |= place == 0 and (is_another or (count.is_part and count.name != counter.name))
            self._take_row(counter, row)
            counter.name = count.name
            if not is_redrawn:
                self._count_on(place, count)
        elif self._running or not count.is_part:
            if not (self._is_part and count.is_bar):
                self._add(count, row)
        else:
            self._is_part = True  # and so are other bars: nobody knows how many there are

    def _take_row(self, counter: _Counter, row: int) -> None:
        if counter.is_bar:
            self.forget(row)
        counter.row = row

    def _place(self, count: Count, row: int) -> int | None:
        """Return which counter it is. A bar whose label changes stays in its row."""
        running = [(place, one) for place, one in enumerate(self._running) if one.total == count.total]
        for place, counter in running:
            if counter.name == count.name:
                return place
        for place, counter in running:
            if counter.is_bar and count.is_bar and counter.row == row and counter.done <= count.done:
                return place
        return None

    def progress(self) -> float | None:
        """Return how far the outermost counter is, with the part that those inside of it add."""
        if self._is_unknown or not self._running:
            return None
        part = 0.0
        for counter in reversed(self._running):
            inside = 0.0 if counter.is_stale else part
            part = min(1.0, (counter.done + (0.0 if counter.is_over else inside)) / counter.total)
            if counter.is_stale:
                part = 0.0
        # A second bar inside of the same step must not undo what the first one added.
        self._highest = max(self._highest, part)
        return self._highest

    def _count_on(self, place: int, count: Count) -> None:
        counter = self._running[place]
        if count.done < counter.done:
            self._is_unknown = self._is_unknown or place == 0
            del self._running[place + 1 :]
        elif count.done > counter.done:
            if counter.is_stale and counter.done > 0:
                self._is_unknown = True  # what is around it has counted on meanwhile: they run side by side
            for inner in self._running[place + 1 :]:
                inner.is_stale = True
        counter.done = count.done
        counter.is_stale = False

    def _add(self, count: Count, row: int) -> None:
        # Two loops over epochs of different numbers follow each other: how many more there are nobody knows.
        names = {counter.name for counter in self._running}
        self._is_unknown = self._is_unknown or (count.name in names and not count.is_bar)
        while len(self._running) > 1 and (self._running[-1].is_over or self._running[-1].is_stale):
            self._running.pop()
        first = self._running[0] if self._running else None
        if first and first.is_over:
            self._is_unknown = True
        if first and first.is_bar and first.row == row and not count.is_bar:
            # Its label says by now what it is a part of.
            self._is_unknown = self._is_unknown or first.done > 0
            self._running.insert(0, _Counter(count, row))
            return
        if count.is_bar:
            self.forget(row)
        self._running.append(_Counter(count, row))
