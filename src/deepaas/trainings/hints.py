"""Progress and metrics read from what a training prints, without changes to its code.

A wrong value is worse than none: where it cannot be known how far a training is, there is no progress.
"""

import ast
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from deepaas.trainings.terminal import Row

_INT = r"(\d{1,15})(?!\d)"
_COUNT = rf"\[?\s*{_INT}\s*(?:/|of)\s*{_INT}"
_EPOCH = re.compile(rf"(?<![/\w])(epoch|iteration|iter|round|fold|trial)s?\W{{0,3}}?{_COUNT}", re.IGNORECASE)
_STEP = re.compile(rf"\b(step|batch)(?:es|s)?\W{{0,3}}?{_COUNT}", re.IGNORECASE)
_ULTRALYTICS = re.compile(rf"^\s*{_INT}/{_INT}\s+[\d.]+G\s")
_DECIMAL = r"(\d{1,15}(?:\.\d{1,15})?)"
_TQDM = re.compile(rf"(\d{{1,3}})%\|[^|]*\|\s*{_DECIMAL}([kMGTP]?)/{_DECIMAL}[kMGTP]?\s*\[")
_KERAS = re.compile(rf"^\s*{_INT}/{_INT}\s*[\[━─]")
_HEAVY_LINES = re.compile(rf"(\d{{1,3}})%\s+[━─╸╺]+\s*{_INT}/{_INT}\s")  # ultralytics
_RICH = re.compile(rf"(?<![━╸╺])[━╸╺]{{3,}}\s+(?:{_INT}/{_INT}|(\d{{1,3}})%)")
_BYTES = re.compile(r"\d[kMGT]?i?B/s")
# Bars of what precedes or interrupts a training. Their names are those of pip, huggingface_hub, datasets,
# transformers, Lightning, and ultralytics.
_NO_TRAINING = re.compile(
    r"\b(?:download|fetch|load|resolv|extract|unpack|tokeni[sz]|map\b|filter|cast|generat|sav(?:e|ing)|writ|upload|"
    r"cach|scan|read|preprocess|valid|val\b|eval|test|predict|sanity|class +images)",
    re.IGNORECASE,
)
# Lightning's: a bar for each epoch, of which there are nobody knows how many
_EPOCH_OF_MANY = re.compile(r"\bepoch\W*\d+(?!\d|\s*(?:/|of))", re.IGNORECASE)
_NUMBER = r"[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf)"
_METRIC = re.compile(
    rf"(?<![\w.'/@-])([A-Za-z_][\w.'/@-]*(?: [A-Za-z_][\w.'/@-]*)*)\s*[:=]\s*({_NUMBER})%?(?![\w.%/:]|,\d)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    rf"^\s*\[{_INT}\]\s|\b(?:epoch|iteration|iter|step)\W{{0,2}}{_INT}\b(?!\s*(?:/|of))", re.IGNORECASE
)
_OPTUNA = re.compile(rf"\bTrial {_INT} finished with (value): ({_NUMBER})(?!\w)")
_WITHOUT_MEANING = {
    *("epoch", "step", "batch", "iteration", "iter", "round", "fold", "trial", "date", "pid", "seed"),
    *("eta", "time", "elapsed", "duration", "took", "total"),
}
_LABEL_NUMBER = re.compile(r"[-+]?\d[\d.,]*(?:[eE][-+]?\d+)?")
_MOST_WORDS = 4
LONGEST_LINE = 500  # characters that are read of a line


class Metrics(NamedTuple):
    """Metrics by name, and the epoch or step that they are of, where that is known."""

    epoch: int | None
    values: dict[str, float | str]


class _Count(NamedTuple):
    """A part of a line that counts: `done` of `total`, under a name that stays the same when it counts on.

    `is_part` says that it counts within one epoch of nobody knows how many.
    """

    name: str
    done: float
    total: float
    is_part: bool = False

    @property
    def is_bar(self) -> bool:
        return self.name.startswith("|")


class _Bar(NamedTuple):
    """A progress bar and the text on both sides. One of something other than training counts nothing."""

    label: str
    counts: _Count | None
    rest: str


class Hints:
    """Reads the rows of one training, in order. `progress` is what they show until now, if anything."""

    def __init__(self) -> None:
        self.progress: float | None = None
        self._counters = _Counters()
        self._epoch: int | None = None
        self._bar_of_epoch: tuple[str, float] | None = None
        self._waiting: Metrics | None = None
        self._source: object = None
        self._last: Metrics | None = None

    def read(self, row: Row) -> list[Metrics]:
        """Return the metrics that are complete now: those of a bar when another bar or line follows it."""
        text = row.text[:LONGEST_LINE]
        bar = _bar(text)
        count_of_bar = bar.counts if bar else None
        if bar and not count_of_bar:
            return []
        counts = list(_counts(text, bar))
        for count in counts:
            self._counters.count(count, row.number)
        if counts:
            self.progress = self._counters.progress()
        if bar and count_of_bar:
            return self._complete(row, counts, self._metrics_of_bar(bar, count_of_bar))
        return self._complete(row, counts, self._metrics_of_line(text, counts))

    def finish(self) -> list[Metrics]:
        """Return the metrics of the last bar or line, which nothing has followed."""
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting == self._last:
            return []
        self._last = waiting
        return [waiting]

    def _complete(self, row: Row, counts: list[_Count], found: Metrics) -> list[Metrics]:
        """Keep what a row shows until it is known to be its last state, and return what that is known of."""
        if not counts and not found.values:
            return []
        bar = counts[-1] if counts and counts[-1].is_bar else None
        source = (found.epoch, bar and bar.name, bar and bar.total, None if bar else row.number)
        complete = self.finish() if source != self._source else []
        self._source = source
        if found.values:
            self._waiting = found
        return complete + self.finish() if row.is_left and not bar else complete

    def _metrics_of_bar(self, bar: _Bar, count: _Count) -> Metrics:
        """Return the numbers beside a full bar, for the epoch that it is of."""
        label, epoch = bar.label, _EPOCH.search(bar.label)
        if epoch:
            self._begin_epoch(int(epoch[2]))
            label = label[epoch.end() :]
        elif numbered := _NUMBERED.search(label):
            self._begin_epoch(int(numbered[1] or numbered[2]))
            label = label[numbered.end() :]
        if self._epoch is not None:
            self._bar_of_epoch = self._bar_of_epoch or (count.name, count.total)
            if self._bar_of_epoch != (count.name, count.total):
                return Metrics(self._epoch, {})  # that of an evaluation, for example
        if count.done < count.total:
            return Metrics(self._epoch, {})
        return Metrics(self._epoch, _metrics_in(label) | _metrics_in(bar.rest))

    def _metrics_of_line(self, text: str, counts: list[_Count]) -> Metrics:
        """Return the metrics in a line that is about an epoch or a step, and its number."""
        epoch = _EPOCH.search(text)
        if epoch and int(epoch[3]):
            self._begin_epoch(int(epoch[2]))
            return Metrics(self._epoch, _metrics_in(text[epoch.end() :]))
        if counts:
            return Metrics(self._epoch, _metrics_in(text))
        if trial := _OPTUNA.search(text):
            return Metrics(int(trial[1]), {trial[2]: _value(trial[3])})
        if numbered := _NUMBERED.search(text):
            return Metrics(int(numbered[1] or numbered[2]), _metrics_in(text[numbered.end() :]))
        return Metrics(None, _metrics_of_dict(text))

    def _begin_epoch(self, number: int) -> None:
        if number != self._epoch:
            self._epoch, self._bar_of_epoch = number, None


class _Counter:
    """What counts under one name; it is stale once what is around it has counted on."""

    def __init__(self, count: _Count, row: int) -> None:
        self.name = count.name
        self.row = row
        self.done = count.done
        self.total = count.total
        self.is_stale = False

    @property
    def is_bar(self) -> bool:
        return self.name.startswith("|")

    @property
    def is_over(self) -> bool:
        return self.done >= self.total


class _Counters:
    """The counters that run, each inside the one before: the first one seen is the outermost.

    They are no measure of the training any more when one ends and another, which is not inside of it, begins;
    when the outermost begins again; or when two count on side by side.
    """

    def __init__(self) -> None:
        self._running: list[_Counter] = []
        self._is_unknown = False
        self._highest = 0.0

    def count(self, count: _Count, row: int) -> None:
        """Note where a counter is, which a row of the terminal shows."""
        place = self._place(count, row)
        if place is not None:
            counter = self._running[place]
            is_redrawn = (counter.row, counter.done) == (row, count.done)
            counter.name, counter.row = count.name, row
            if not is_redrawn:
                self._count_on(place, count)
        elif self._running or not count.is_part:
            self._add(count, row)

    def _place(self, count: _Count, row: int) -> int | None:
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

    def _count_on(self, place: int, count: _Count) -> None:
        counter = self._running[place]
        if count.done < counter.done:
            self._is_unknown = self._is_unknown or place == 0
            del self._running[place + 1 :]
        elif count.done > counter.done:
            if counter.is_stale and counter.done > 0:
                self._is_unknown = True  # what is around it has counted on meanwhile: they run side by side
            for inner in self._running[place + 1 :]:
                inner.is_stale = True
                self._is_unknown = self._is_unknown or (count.done >= count.total and not inner.is_over)
        counter.done = count.done
        counter.is_stale = False

    def _add(self, count: _Count, row: int) -> None:
        # Two loops over epochs of different numbers follow each other: how many more there are nobody knows.
        names = {counter.name for counter in self._running}
        self._is_unknown = self._is_unknown or (count.name in names and not count.is_bar)
        while len(self._running) > 1 and (self._running[-1].is_over or self._running[-1].is_stale):
            self._running.pop()
        if self._running and self._running[0].is_over:
            self._is_unknown = True
        self._running.append(_Counter(count, row))


def _counts(text: str, bar: _Bar | None) -> Iterator[_Count]:
    """Yield what counts in a line, the outermost first; names of bars begin with `|`."""
    behind = 0
    for epoch in _EPOCH.finditer(text):
        if int(epoch[3]):
            yield _epoch_count(epoch, text, bar)
            behind = epoch.end()
    if row := _ULTRALYTICS.search(text):
        yield _Count("epoch", int(row[1]) - 1, int(row[2]))
    inner = bar.counts if bar else _steps(text[behind:])
    if inner and inner.total > 0:
        yield inner


def _epoch_count(epoch: re.Match[str], text: str, bar: _Bar | None) -> _Count:
    """Return how many epochs are over.

    A line that names one alone announces it; one with metrics reports its end; one with a bar is inside it.
    """
    word, number, total = epoch[1].lower(), int(epoch[2]), int(epoch[3])
    rest = text[epoch.end() :]
    if _RICH.search(rest):
        # Lightning's rich bar counts from 0 to one less than there are.
        return _Count(word, number, total + 1)
    is_inside = bar is not None or _STEP.search(rest) is not None or _EPOCH.search(rest) is not None
    is_report = not is_inside and bool(_metrics_in(rest))
    return _Count(word, number if is_report else max(0, number - 1), total)


def _steps(text: str) -> _Count | None:
    step = _STEP.search(text)
    return _Count(step[1].lower(), int(step[2]), int(step[3])) if step else None


def _bar(text: str) -> _Bar | None:
    """Return the bar in a line, if there is one."""
    for pattern, done, total in ((_TQDM, 2, 4), (_KERAS, 1, 2), (_HEAVY_LINES, 2, 3), (_RICH, 1, 2)):
        bar = pattern.search(text)
        if not bar:
            continue
        label, rest = text[: bar.start()].strip().rstrip(":"), text[bar.end() :]
        if pattern is _TQDM:
            rest = rest.partition("]")[0]
        if _NO_TRAINING.search(label) or _BYTES.search(rest):
            return _Bar(label, None, rest)
        name = "|" + " ".join(_LABEL_NUMBER.sub("#", label).split())
        is_part = _EPOCH_OF_MANY.search(label) is not None
        if bar[total] is None or (pattern is _TQDM and bar[3]):
            # With units, such as 500k/2.00M, the percentage is all there is to go by.
            percent = float(bar[3] if pattern is _RICH else bar[1])
            return _Bar(label, _Count(name, percent, 100.0, is_part), rest)
        return _Bar(label, _Count(name, float(bar[done]), float(bar[total]), is_part), rest)
    return None


def _metrics_in(text: str) -> dict[str, float | str]:
    """Return the numbers in a text by their full names; a name that has two values has none."""
    found: dict[str, Any] = {}
    for name, value in _METRIC.findall(text):
        words = name.split()
        if len(words) <= _MOST_WORDS and not _WITHOUT_MEANING & {words[-1].lower(), name.lower()}:
            found[name] = None if name in found and found[name] != _value(value) else _value(value)
    return {name: value for name, value in found.items() if value is not None}


def _metrics_of_dict(text: str) -> dict[str, float | str]:
    """Return the numbers in a dictionary that is printed in a line of its own, as transformers does it."""
    text = text.strip()
    if not (text.startswith("{'") and text.endswith("}")):
        return {}
    try:
        printed = ast.literal_eval(text)
        if not (isinstance(printed, dict) and "epoch" in printed):
            return {}  # anything else may be printed so: settings, for example
        return {
            # An escape in the text, such as \\ud800, may stand for half a character.
            str(name).encode("utf-8", "replace").decode(): _value(str(value))
            for name, value in printed.items()
            if name not in _WITHOUT_MEANING
        }
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return {}


def _value(text: str) -> float | str:
    """Return a number; one that JSON has not as the text that `deepaas.report` keeps. Raise `ValueError`."""
    number = float(text.replace(",", ""))
    return number if math.isfinite(number) else str(number)
