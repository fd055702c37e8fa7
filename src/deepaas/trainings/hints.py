"""Progress and metrics read from what a training prints, without changes to its code.

A wrong value is worse than none: where it cannot be known how far a training is, there is no progress.
"""

import ast
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from deepaas.trainings.counters import Count, Counters
from deepaas.trainings.terminal import Row

_INT = r"(\d{1,15})(?!\d)"
_COUNT = rf"\[?\s*{_INT}\s*(?:/|of)\s*{_INT}"
_EPOCH = re.compile(rf"(?<![/\w])(epoch|iteration|iter|round|fold|trial)s?\W{{0,3}}?{_COUNT}", re.IGNORECASE)
_STEP = re.compile(rf"\b(step|batch)(?:es|s)?\W{{0,3}}?{_COUNT}", re.IGNORECASE)
_ULTRALYTICS = re.compile(rf"^\s*{_INT}/{_INT}\s+[\d.]+G\s")
_DECIMAL = r"(\d{1,15}(?:\.\d{1,15})?)"
_TQDM = re.compile(rf"(\d{{1,3}})%\|[^|]*\|\s*{_DECIMAL}([kMGTP]?)/{_DECIMAL}([kMGTP]?)\s*\[")
_KERAS = re.compile(rf"^\s*{_INT}/{_INT}\s*(?:[\[━─]|- \d+m?s\b)")
_HEAVY_LINES = re.compile(rf"(\d{{1,3}})%\s+[━─╸╺]+\s*{_INT}/{_INT}\s")  # ultralytics
_RICH = re.compile(rf"(?<![━╸╺])[━╸╺]{{3,}}\s+(?:{_INT}/{_INT}|(\d{{1,3}})%)")
_UNIT_OF_NO_TRAINING = re.compile(r"\d[kMGT]?i?B/s| examples/s")  # downloads; whatever datasets prepares
# Bars of what precedes or interrupts a training. Their names are those of pip, huggingface_hub, datasets,
# transformers, Lightning, and ultralytics.
_NO_TRAINING = re.compile(
    r"\b(?:download|fetch|load|resolv|extract|unpack|tokeni[sz]|map\b|filter|cast|generat|sav(?:e|ing)|writ|upload|"
    r"cach|scan|read|preprocess|valid|val\b|eval|test|predict|sanity|class +images)",
    re.IGNORECASE,
)
# What counts beside it, or below it, is within one epoch, and nobody knows how many there are. So are
# Lightning's bars.
_EPOCH_OF_MANY = re.compile(r"\bepoch\W*\d+(?!\d|\s*(?:/|of))", re.IGNORECASE)
_NUMBER = r"[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf)"
_METRIC = re.compile(
    rf"(?<![\w.'/@-])([A-Za-z_][\w.'/@-]*(?: [A-Za-z_][\w.'/@-]*){{0,4}})"
    rf"\s*[:=]\s*({_NUMBER})%?(?![\w.%/:]|,\d)",
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
_PART_OF_EPOCH = re.compile(r"\W{0,3}\d{1,3}%|\s*(?:\[[^\]]*\]\s*)?\d+/\d")
_LABEL_NUMBER = re.compile(r"[-+]?\d[\d.,]*(?:[eE][-+]?\d+)?")
_MOST_WORDS = 4
LONGEST_LINE = 500  # characters that are read of a line


class Metrics(NamedTuple):
    """Metrics by name, and the epoch or step that they are of, where that is known."""

    epoch: int | None
    values: dict[str, float | str]


class _Bar(NamedTuple):
    """A progress bar and the text on both sides. One of something other than training counts nothing.

    `behind` is what somebody else printed behind a bar of tqdm, which leaves the cursor there.
    """

    label: str
    counts: Count | None
    rest: str
    behind: str = ""


class Hints:
    """Reads the rows of one training, in order. `progress` is what they show until now, if anything."""

    def __init__(self) -> None:
        self.progress: float | None = None
        self._counters = Counters()
        self._epoch: int | None = None
        self._bar_of_epoch: tuple[str, float] | None = None
        self._is_epoch_over = False
        self._counted_from_0: set[str] = set()
        self._labels = _EpochLabels()
        self._waiting: Metrics | None = None
        self._source: object = None
        self._done = 0.0
        self._last: Metrics | None = None

    def read(self, row: Row) -> list[Metrics]:
        """Return the metrics that are complete now: those of a bar when another bar or line follows it."""
        text = row.text[:LONGEST_LINE]
        bar = _bar(text)
        if bar is None:
            # Without a bar, nothing pads a text that is shorter than the one before in the same row.
            return self._read_line(row, text[: row.end] or text)
        complete = self._read_bar(row, bar, bar.counts) if bar.counts else []
        if bar.behind.strip() and row.is_left:
            found = self._metrics_of_line(bar.behind, [])
            complete += [*self.finish(), found] if found.values else []
        return complete

    def _read_line(self, row: Row, text: str) -> list[Metrics]:
        counts = list(self._counts(text, None))
        if not counts and _EPOCH_OF_MANY.search(text):
            self._counters.begin_part()
        self._count(counts, row)
        return self._complete(row, counts, self._metrics_of_line(text, counts))

    def _read_bar(self, row: Row, bar: _Bar, count: Count) -> list[Metrics]:
        counts = list(self._counts(bar.label, count))
        self._count(counts, row)
        return self._complete(row, counts, self._metrics_of_bar(bar, count))

    def _count(self, counts: list[Count], row: Row) -> None:
        if not counts:
            return self._counters.forget(row.number)
        for count in counts:
            self._counters.count(count, row.number)
        self.progress = self._counters.progress()
        return None

    def finish(self) -> list[Metrics]:
        """Return the metrics of the last bar or line, which nothing has followed."""
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting == self._last:
            return []
        self._last = waiting
        return [waiting]

    def _complete(self, row: Row, counts: list[Count], found: Metrics) -> list[Metrics]:
        """Hold back the metrics of a row until something else follows; return those that are complete."""
        if not counts and not found.values:
            return []
        bar = counts[-1] if counts and counts[-1].is_bar else None
        source = (found.epoch, bar and bar.name, bar and bar.total, None if bar else row.number)
        done = bar.done if bar else 0.0
        complete = self.finish() if source != self._source or done < self._done else []
        self._source, self._done = source, done
        if found.values:
            self._waiting = found
        return complete + self.finish() if row.is_left and not bar else complete

    def _metrics_of_bar(self, bar: _Bar, count: Count) -> Metrics:
        """Return the numbers beside a full bar, for the epoch that it is of."""
        label, epoch = bar.label, _last_epoch(bar.label)
        if epoch:
            self._begin_epoch(int(epoch[2]))
            label = label[epoch.end() :]
        elif numbered := _NUMBERED.search(label):
            self._begin_epoch(int(numbered[1] or numbered[2]))
            label = label[numbered.end() :]
        if self._epoch is not None:
            self._bar_of_epoch = self._bar_of_epoch or (count.name, count.total)
            if self._is_epoch_over and count.done < count.total:
                self._bar_of_epoch = ("", 0.0)  # another one has begun
            if self._bar_of_epoch != (count.name, count.total):
                return Metrics(self._epoch, {})  # an evaluation's, for example
        if count.done < count.total:
            return Metrics(self._epoch, {})
        self._is_epoch_over = True
        return Metrics(self._epoch, _metrics_in(label) | _metrics_in(bar.rest))

    def _metrics_of_line(self, text: str, counts: list[Count]) -> Metrics:
        """Return the metrics in a line that is about an epoch or a step, and its number."""
        if epoch := _last_epoch(text):
            self._begin_epoch(int(epoch[2]))
            found = Metrics(self._epoch, _metrics_in(text[epoch.end() :]))
            if found.values:
                self._begin_epoch(None)  # this was its end
            else:
                self._bar_of_epoch = None  # it begins, perhaps not for the first time
                self._is_epoch_over = False
            return found
        if trial := _OPTUNA.search(text):
            return Metrics(int(trial[1]), {trial[2]: _value(trial[3])})
        if numbered := _NUMBERED.search(text):
            return Metrics(int(numbered[1] or numbered[2]), _metrics_in(text[numbered.end() :]))
        if counts:
            return Metrics(self._epoch, _metrics_in(text))
        return Metrics(None, _metrics_of_dict(text))

    def _begin_epoch(self, number: int | None) -> None:
        if number != self._epoch:
            self._epoch, self._bar_of_epoch, self._is_epoch_over = number, None, False

    def _counts(self, text: str, bar: Count | None) -> Iterator[Count]:
        """Yield what counts in a line, or in the label of a bar, the outermost first."""
        behind = 0
        for epoch in _EPOCH.finditer(text):
            number, total = int(epoch[2]), int(epoch[3])
            if bar and bar.total == total:
                is_of_epochs = self._labels.is_of_epochs(bar, number)
                if is_of_epochs is None:
                    return
                if is_of_epochs:
                    continue
            if total:
                if number == 0:
                    self._counted_from_0.add(epoch[1].lower())
                yield self._epoch_count(epoch, text, bar)
                behind = epoch.end()
        if row := _ULTRALYTICS.search(text):
            yield Count("epoch", int(row[1]) - 1, int(row[2]))
        inner = bar or _steps(text[behind:], is_part=not behind and _EPOCH_OF_MANY.search(text) is not None)
        if inner and inner.total > 0:
            yield inner

    def _epoch_count(self, epoch: re.Match[str], text: str, bar: Count | None) -> Count:
        """Return how many epochs are over.

        A line that names one alone announces it; one with metrics reports its end; one with a bar, or with
        another count, is inside it.
        """
        word, number, total = epoch[1].lower(), int(epoch[2]), int(epoch[3])
        rest = text[epoch.end() :]
        if bar and bar.is_of_rich:
            # Lightning's rich bar counts from 0 to one less than there are.
            return Count(word, number, total + 1)
        is_inside = bar is not None or _STEP.search(rest) or _EPOCH.search(rest) or _PART_OF_EPOCH.match(rest)
        is_report = not is_inside and bool(_metrics_in(rest))
        over = number + (word in self._counted_from_0) - (not is_report)
        return Count(word, min(total, max(0, over)), total)


class _EpochLabels:
    """Tells bars of epochs from bars of batches in one, where there are as many of both.

    The label of both may be `Epoch 1/4`. It changes while a bar of epochs counts on, and when one of batches
    begins.
    """

    def __init__(self) -> None:
        self._first_numbers: dict[str, int] = {}
        self._known: dict[str, bool] = {}

    def is_of_epochs(self, bar: Count, number: int) -> bool | None:
        """Return whether a bar whose label has the number of an epoch counts the epochs, once it is known."""
        changes = number - self._first_numbers.setdefault(bar.name, number)
        is_near = abs(bar.done - number) <= 1
        if bar.name not in self._known and (changes or not is_near):
            self._known[bar.name] = is_near and bar.done >= changes
        return self._known.get(bar.name)


def _last_epoch(text: str) -> re.Match[str] | None:
    """Return where a text names an epoch of so many; of a fold and an epoch in it, the epoch."""
    named = [epoch for epoch in _EPOCH.finditer(text) if int(epoch[3])]
    return named[-1] if named else None


def _steps(text: str, *, is_part: bool) -> Count | None:
    step = _STEP.search(text)
    return Count(step[1].lower(), int(step[2]), int(step[3]), is_part) if step else None


def _bar(text: str) -> _Bar | None:
    """Return the bar in a line, if there is one."""
    for pattern, done, total in ((_TQDM, 2, 4), (_KERAS, 1, 2), (_HEAVY_LINES, 2, 3), (_RICH, 1, 2)):
        bar = pattern.search(text)
        if not bar:
            continue
        label, rest, behind = text[: bar.start()].strip().rstrip(":"), text[bar.end() :], ""
        if pattern is _TQDM:
            rest, _, behind = rest.partition("]")
        if _NO_TRAINING.search(label) or _UNIT_OF_NO_TRAINING.search(rest):
            return _Bar(label, None, rest, behind)
        name = "|" + " ".join(_LABEL_NUMBER.sub("#", label).split())
        is_part = _EPOCH_OF_MANY.search(label) is not None
        count = Count(name, float(bar[done] or 0), float(bar[total] or 0), is_part, pattern is _RICH)
        if bar[total] is None or (pattern is _TQDM and (bar[3] or bar[5])):
            # With units, such as 500/2.00M, the percentage is all there is to go by.
            count = count._replace(done=float(bar[3] if pattern is _RICH else bar[1]), total=100.0)
        return _Bar(label, count, rest, behind)
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
