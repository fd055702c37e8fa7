"""Progress and metrics read from what a training prints, without changes to its code.

A wrong value is worse than none: where it cannot be known how far a training is, there is no progress.
"""

import ast
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_COUNT = r"\[?\s*(\d+)\s*(?:/|of)\s*(\d+)"
_EPOCH = re.compile(rf"(?<![/\w])(epoch|iteration|iter|round|fold|trial)s?\W{{0,3}}?{_COUNT}", re.IGNORECASE)
_STEP = re.compile(rf"\b(step|batch)(?:es|s)?\W{{0,3}}?{_COUNT}", re.IGNORECASE)
_ULTRALYTICS = re.compile(r"^\s*(\d+)/(\d+)\s+[\d.]+G\s")
_TQDM = re.compile(r"(\d+)%\|[^|]*\|\s*(\d+(?:\.\d+)?)([kMGTP]?)/(\d+(?:\.\d+)?)[kMGTP]?\s*\[")
_KERAS = re.compile(r"^\s*(\d+)/(\d+)\s*[\[━─]")
_HEAVY_LINES = re.compile(r"(\d+)%\s+[━─╸╺]+\s*(\d+)/(\d+)\s")  # ultralytics
_RICH = re.compile(r"[━╸╺]{3,}\s+(?:(\d+)/(\d+)|(\d+)%)")
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
_ANSI = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
_NUMBER = r"[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf)"
_METRIC = re.compile(
    rf"(?<![\w.'/@-])([A-Za-z_][\w.'/@-]*(?: [A-Za-z_][\w.'/@-]*)*)\s*[:=]\s*({_NUMBER})%?(?![\w.%/:]|,\d)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"^\s*(?:\[(\d+)\]\s|(?:.*\b)?(?:epoch|iteration|iter|step)\W{0,2}(\d+)\b(?!\s*(?:/|of)))", re.IGNORECASE
)
_OPTUNA = re.compile(rf"\bTrial (\d+) finished with (value): ({_NUMBER})(?!\w)")
_WITHOUT_MEANING = {
    *("epoch", "step", "batch", "iteration", "iter", "round", "fold", "trial", "date", "pid", "seed"),
    *("eta", "time", "elapsed", "duration", "took", "total"),
}
_MOST_WORDS = 4
_LONGEST_LINE = 10_000


class Hint(NamedTuple):
    """What a line shows: progress from 0 to 1, the epoch or step that metrics are of, metrics by name."""

    progress: float | None
    epoch: int | None
    metrics: dict[str, float | str]


class _Count(NamedTuple):
    """A part of a line that counts: `done` of `total`, under a name that stays the same when it counts on."""

    name: str
    done: float
    total: float


class Hints:
    """Reads the lines of one training, in order. `progress` is what they show until now, if anything."""

    def __init__(self) -> None:
        self.progress: float | None = None
        self._counters = _Counters()
        self._epoch: int | None = None
        self._last: Hint | None = None

    def read(self, line: str) -> Hint | None:
        """Return what the line shows, if anything."""
        text = _ANSI.sub("", line[:_LONGEST_LINE])
        counts = list(_counts(text))
        for count in counts:
            self._counters.count(count)
        if counts:
            self.progress = self._counters.progress()
        is_bar_under_way = any(count.name.startswith("|") and count.done < count.total for count in counts)
        epoch, metrics = (None, {}) if is_bar_under_way else self._metrics(text, counts)
        if not counts and not metrics:
            return None
        hint = Hint(self.progress if counts else None, epoch, metrics)
        # A line without its end is read again and again; its metrics count once.
        if self._last and self._last[1:] == hint[1:]:
            hint = hint._replace(metrics={})
        elif metrics:
            self._last = hint
        return hint

    def _metrics(self, text: str, counts: list[_Count]) -> tuple[int | None, dict[str, float | str]]:
        """Return the metrics in a line that is about an epoch or a step, and its number."""
        epoch = _EPOCH.search(text)
        if epoch and int(epoch[3]):
            self._epoch = int(epoch[2])
            return self._epoch, _metrics_in(text[epoch.end() :])
        if counts:  # the last line of a bar, below the line that names the epoch
            return self._epoch, _metrics_in(text)
        if trial := _OPTUNA.search(text):
            return int(trial[1]), {trial[2]: _value(trial[3])}
        if numbered := _NUMBERED.search(text):
            return int(numbered[1] or numbered[2]), _metrics_in(text[numbered.end() :])
        return None, _metrics_of_dict(text)


class _Counter:
    """What counts under one name; it is stale once what is around it has counted on."""

    def __init__(self, count: _Count) -> None:
        self.name = (count.name, count.total)
        self.done = count.done
        self.total = count.total
        self.is_stale = False

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

    def count(self, count: _Count) -> None:
        """Note where a counter is."""
        name = (count.name, count.total)
        places = [place for place, counter in enumerate(self._running) if counter.name == name]
        if places:
            self._count_on(places[0], count)
        else:
            self._add(count)

    def progress(self) -> float | None:
        """Return how far the outermost counter is, with the part that those inside of it add."""
        if self._is_unknown:
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

    def _add(self, count: _Count) -> None:
        # Two loops over epochs of different numbers follow each other: how many more there are nobody knows.
        names = {counter.name[0] for counter in self._running}
        self._is_unknown = self._is_unknown or (count.name in names and not count.name.startswith("|"))
        while len(self._running) > 1 and (self._running[-1].is_over or self._running[-1].is_stale):
            self._running.pop()
        if self._running and self._running[0].is_over:
            self._is_unknown = True
        self._running.append(_Counter(count))


def _counts(text: str) -> Iterator[_Count]:
    """Yield what counts in a line, the outermost first; names of bars begin with `|`."""
    behind = 0
    for epoch in _EPOCH.finditer(text):
        if int(epoch[3]):
            yield _epoch_count(epoch, text)
            behind = epoch.end()
    if row := _ULTRALYTICS.search(text):
        yield _Count("epoch", int(row[1]) - 1, int(row[2]))
    inner = _bar(text) or _steps(text[behind:])
    if inner and inner.total > 0:
        yield inner


def _epoch_count(epoch: re.Match[str], text: str) -> _Count:
    """Return how many epochs are over.

    A line that names one alone announces it; one with metrics reports its end; one with a bar is inside it.
    """
    word, number, total = epoch[1].lower(), int(epoch[2]), int(epoch[3])
    rest = text[epoch.end() :]
    if _RICH.search(rest):
        return _Count(
            word, number, total + 1
        )  # Lightning's rich bar counts from 0 to one less than there are
    is_inside = _bar(text) is not None or _STEP.search(rest) is not None or _EPOCH.search(rest) is not None
    is_report = not is_inside and bool(_metrics_in(rest))
    return _Count(word, number if is_report else max(0, number - 1), total)


def _steps(text: str) -> _Count | None:
    step = _STEP.search(text)
    return _Count(step[1].lower(), int(step[2]), int(step[3])) if step else None


def _bar(text: str) -> _Count | None:
    """Return where the bar in a line is, unless it is of something other than training."""
    for pattern, done, total in ((_TQDM, 2, 4), (_KERAS, 1, 2), (_HEAVY_LINES, 2, 3), (_RICH, 1, 2)):
        bar = pattern.search(text)
        if not bar:
            continue
        label = text[: bar.start()].strip()
        if _NO_TRAINING.search(label) or _BYTES.search(text[bar.end() :]) or _EPOCH_OF_MANY.search(label):
            return None
        label = re.sub(r"\d+", "#", label)
        if bar[total] is None or (pattern is _TQDM and bar[3]):
            # With units, such as 500k/2.00M, the percentage is all there is to go by.
            return _Count(f"|{label}", float(bar[3] if pattern is _RICH else bar[1]), 100.0)
        return _Count(f"|{label}", float(bar[done]), float(bar[total]))
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
            str(name): _value(str(value)) for name, value in printed.items() if name not in _WITHOUT_MEANING
        }
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return {}


def _value(text: str) -> float | str:
    """Return a number; one that JSON has not as the text that `deepaas.report` keeps. Raise `ValueError`."""
    number = float(text.replace(",", ""))
    return number if math.isfinite(number) else str(number)
