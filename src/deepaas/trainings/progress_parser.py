"""Parses printed lines (tqdm, Keras, epochs) into metrics and progress.

A wrong value is worse than none: if a line does not show how far the training is, there is no progress.
"""

import ast
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from deepaas.trainings.counters import CounterReading, NestedCounters
from deepaas.trainings.terminal_output import Row

_INT = r"(\d{1,15})(?!\d)"
_COUNT = rf"\[?\s*{_INT}\s*(?:/|of)\s*{_INT}"
_EPOCH = re.compile(rf"(?<![/\w])(epoch|iteration|iter|round|fold|trial)s?\W{{0,3}}?{_COUNT}", re.IGNORECASE)
_STEP = re.compile(rf"\b(step|batch)(?:es|s)?\W{{0,3}}?{_COUNT}", re.IGNORECASE)
_ULTRALYTICS = re.compile(rf"^\s*{_INT}/{_INT}\s+[\d.]+G\s")
_DECIMAL = r"(\d{1,15}(?:\.\d{1,15})?)"
_TQDM = re.compile(rf"(\d{{1,3}})%\|[^|]*\|\s*{_DECIMAL}([kMGTP]?)/{_DECIMAL}([kMGTP]?)\s*\[")
_KERAS = re.compile(rf"^\s*{_INT}/{_INT}\s*(?:[\[━─]|- \d+m?s\b)")
_ULTRALYTICS_BAR = re.compile(rf"(\d{{1,3}})%\s+[━─╸╺]+\s*{_INT}/{_INT}\s")  # ultralytics
_RICH = re.compile(rf"(?<![━╸╺])[━╸╺]{{3,}}\s+(?:{_INT}/{_INT}|(\d{{1,3}})%)")
_NON_TRAINING_UNIT = re.compile(r"\d[kMGT]?i?B/s| examples/s")  # downloads, and preparing datasets
# Labels of bars that do not measure a training, as pip, huggingface_hub, datasets, transformers, Lightning
# and ultralytics print them.
_NON_TRAINING_LABEL = re.compile(
    r"\b(?:download|fetch|load|resolv|extract|unpack|tokeni[sz]|map\b|filter|cast|generat|sav(?:e|ing)|writ|upload|"
    r"cach|scan|read|preprocess|valid|val\b|eval|test|predict|sanity|class +images)",
    re.IGNORECASE,
)
# An epoch of an unknown number of epochs, as in Lightning's bars. Counters after it count within that epoch.
_EPOCH_WITHOUT_TOTAL = re.compile(r"\bepoch\W*\d+(?!\d|\s*(?:/|of))", re.IGNORECASE)
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
_IGNORED_NAMES = {
    *("epoch", "step", "batch", "iteration", "iter", "round", "fold", "trial", "date", "pid", "seed"),
    *("eta", "time", "elapsed", "duration", "took", "total"),
}
_EPOCH_FRACTION = re.compile(r"\W{0,3}\d{1,3}%|\s*(?:\[[^\]]*\]\s*)?\d+/\d")
_LABEL_NUMBER = re.compile(r"[-+]?\d[\d.,]*(?:[eE][-+]?\d+)?")
_MAX_NAME_WORDS = 4
MAX_LINE_LENGTH = 500  # characters; the rest of a line is ignored


class ParsedMetrics(NamedTuple):
    """Metrics by name, and their epoch or step, if known."""

    epoch: int | None
    values: dict[str, float | str]


class _Bar(NamedTuple):
    """A progress bar and the text on both sides. `reading` is None if it does not measure training.

    `trailing_text` is other output after a tqdm bar, where tqdm leaves the cursor.
    """

    label: str
    reading: CounterReading | None
    suffix: str
    trailing_text: str = ""


class ProgressParser:
    """Parses the rows of one training, in order. `progress` is from 0 to 1, or None if unknown."""

    def __init__(self) -> None:
        self.progress: float | None = None
        self._counters = NestedCounters()
        self._epoch: int | None = None
        self._epoch_bar: tuple[str, float] | None = None
        self._is_epoch_finished = False
        self._zero_based_words: set[str] = set()
        self._epoch_labels = _EpochBarClassifier()
        self._pending: ParsedMetrics | None = None
        self._source: object = None
        self._last_done = 0.0
        self._last_returned: ParsedMetrics | None = None

    def feed(self, row: Row) -> list[ParsedMetrics]:
        """Return the metrics that are complete now; a bar's, when another bar or line follows it."""
        text = row.text[:MAX_LINE_LENGTH]
        bar = _find_bar(text)
        if bar is None:
            # Only bars pad a shorter text; otherwise an older text may remain after `row.end`.
            return self._parse_line(row, text[: row.end] or text)
        complete = self._parse_bar(row, bar, bar.reading) if bar.reading else []
        if bar.trailing_text.strip() and row.is_complete:
            found = self._parse_line_metrics(bar.trailing_text, [])
            complete += [*self.finish(), found] if found.values else []
        return complete

    def _parse_line(self, row: Row, text: str) -> list[ParsedMetrics]:
        counts = list(self._iter_readings(text, None))
        if not counts and _EPOCH_WITHOUT_TOTAL.search(text):
            self._counters.start_epoch_without_total()
        self._update_counters(counts, row)
        return self._collect_complete(row, counts, self._parse_line_metrics(text, counts))

    def _parse_bar(self, row: Row, bar: _Bar, count: CounterReading) -> list[ParsedMetrics]:
        counts = list(self._iter_readings(bar.label, count))
        self._update_counters(counts, row)
        return self._collect_complete(row, counts, self._parse_bar_metrics(bar, count))

    def _update_counters(self, counts: list[CounterReading], row: Row) -> None:
        if not counts:
            return self._counters.clear_row(row.number)
        for count in counts:
            self._counters.update(count, row.number)
        self.progress = self._counters.estimate_progress()
        return None

    def finish(self) -> list[ParsedMetrics]:
        """Return the metrics of the last bar or line."""
        pending, self._pending = self._pending, None
        if pending is None or pending == self._last_returned:
            return []
        self._last_returned = pending
        return [pending]

    def _collect_complete(
        self, row: Row, counts: list[CounterReading], found: ParsedMetrics
    ) -> list[ParsedMetrics]:
        """Hold a row's metrics back until other output follows; return the complete ones."""
        if not counts and not found.values:
            return []
        bar = counts[-1] if counts and counts[-1].is_bar else None
        source = (found.epoch, bar and bar.name, bar and bar.total, None if bar else row.number)
        done = bar.done if bar else 0.0
        complete = self.finish() if source != self._source or done < self._last_done else []
        self._source, self._last_done = source, done
        if found.values:
            self._pending = found
        return complete + self.finish() if row.is_complete and not bar else complete

    def _parse_bar_metrics(self, bar: _Bar, count: CounterReading) -> ParsedMetrics:
        """Return the numbers beside a full bar, and its epoch."""
        label, epoch = bar.label, _find_last_epoch(bar.label)
        if epoch:
            self._start_epoch(int(epoch[2]))
            label = label[epoch.end() :]
        elif numbered := _NUMBERED.search(label):
            self._start_epoch(int(numbered[1] or numbered[2]))
            label = label[numbered.end() :]
        if self._epoch is not None:
            self._epoch_bar = self._epoch_bar or (count.name, count.total)
            if self._is_epoch_finished and count.done < count.total:
                self._epoch_bar = ("", 0.0)  # another bar started
            if self._epoch_bar != (count.name, count.total):
                return ParsedMetrics(self._epoch, {})  # for example, the bar of an evaluation
        if count.done < count.total:
            return ParsedMetrics(self._epoch, {})
        self._is_epoch_finished = True
        return ParsedMetrics(self._epoch, _parse_metrics(label) | _parse_metrics(bar.suffix))

    def _parse_line_metrics(self, text: str, counts: list[CounterReading]) -> ParsedMetrics:
        """Return the metrics of a line that names an epoch or a step, and its number."""
        if epoch := _find_last_epoch(text):
            self._start_epoch(int(epoch[2]))
            found = ParsedMetrics(self._epoch, _parse_metrics(text[epoch.end() :]))
            if found.values:
                self._start_epoch(None)  # the line reports the end of the epoch
            else:
                self._epoch_bar = None  # the epoch starts, perhaps again
                self._is_epoch_finished = False
            return found
        if trial := _OPTUNA.search(text):
            return ParsedMetrics(int(trial[1]), {trial[2]: _parse_number(trial[3])})
        if numbered := _NUMBERED.search(text):
            return ParsedMetrics(int(numbered[1] or numbered[2]), _parse_metrics(text[numbered.end() :]))
        if counts:
            return ParsedMetrics(self._epoch, _parse_metrics(text))
        return ParsedMetrics(None, _parse_dict_metrics(text))

    def _start_epoch(self, number: int | None) -> None:
        if number != self._epoch:
            self._epoch, self._epoch_bar, self._is_epoch_finished = number, None, False

    def _iter_readings(self, text: str, bar: CounterReading | None) -> Iterator[CounterReading]:
        """Yield the counters of a line, or of a bar and its label, the outermost first."""
        behind = 0
        for epoch in _EPOCH.finditer(text):
            number, total = int(epoch[2]), int(epoch[3])
            if bar and bar.total == total:
                is_epoch_bar = self._epoch_labels.is_epoch_bar(bar, number)
                if is_epoch_bar is None:
                    return
                if is_epoch_bar:
                    continue
            if total:
                if number == 0:
                    self._zero_based_words.add(epoch[1].lower())
                yield self._read_epoch(epoch, text, bar)
                behind = epoch.end()
        if row := _ULTRALYTICS.search(text):
            yield CounterReading("epoch", int(row[1]) - 1, int(row[2]))
        inner = bar or _find_steps(
            text[behind:], is_within_epoch=not behind and _EPOCH_WITHOUT_TOTAL.search(text) is not None
        )
        if inner and inner.total > 0:
            yield inner

    def _read_epoch(self, epoch: re.Match[str], text: str, bar: CounterReading | None) -> CounterReading:
        """Return how many epochs have finished.

        An epoch alone announces its start; with metrics, it reports its end; with a bar or another count, the
        line is printed during the epoch.
        """
        word, number, total = epoch[1].lower(), int(epoch[2]), int(epoch[3])
        rest = text[epoch.end() :]
        if bar and bar.is_rich_bar:
            # Lightning's rich bar counts from 0 to the number of epochs minus 1.
            return CounterReading(word, number, total + 1)
        is_inside = (
            bar is not None or _STEP.search(rest) or _EPOCH.search(rest) or _EPOCH_FRACTION.match(rest)
        )
        is_report = not is_inside and bool(_parse_metrics(rest))
        over = number + (word in self._zero_based_words) - (not is_report)
        return CounterReading(word, min(total, max(0, over)), total)


class _EpochBarClassifier:
    """Distinguishes bars of epochs from bars of batches with the same total.

    Both may have the label `Epoch 1/4`. It changes while a bar of epochs counts, and when a bar of batches
    starts.
    """

    def __init__(self) -> None:
        self._first_numbers: dict[str, int] = {}
        self._known: dict[str, bool] = {}

    def is_epoch_bar(self, bar: CounterReading, number: int) -> bool | None:
        """Return whether a bar with an epoch's number in its label counts epochs; None if not known yet."""
        changes = number - self._first_numbers.setdefault(bar.name, number)
        is_near = abs(bar.done - number) <= 1
        if bar.name not in self._known and (changes or not is_near):
            self._known[bar.name] = is_near and bar.done >= changes
        return self._known.get(bar.name)


def _find_last_epoch(text: str) -> re.Match[str] | None:
    """Return the last "epoch N of M" in a text; with a fold and an epoch, that is the epoch."""
    named = [epoch for epoch in _EPOCH.finditer(text) if int(epoch[3])]
    return named[-1] if named else None


def _find_steps(text: str, *, is_within_epoch: bool) -> CounterReading | None:
    step = _STEP.search(text)
    return CounterReading(step[1].lower(), int(step[2]), int(step[3]), is_within_epoch) if step else None


def _find_bar(text: str) -> _Bar | None:
    for pattern, done, total in ((_TQDM, 2, 4), (_KERAS, 1, 2), (_ULTRALYTICS_BAR, 2, 3), (_RICH, 1, 2)):
        bar = pattern.search(text)
        if not bar:
            continue
        label, rest, behind = text[: bar.start()].strip().rstrip(":"), text[bar.end() :], ""
        if pattern is _TQDM:
            rest, _, behind = rest.partition("]")
        if _NON_TRAINING_LABEL.search(label) or _NON_TRAINING_UNIT.search(rest):
            return _Bar(label, None, rest, behind)
        name = "|" + " ".join(_LABEL_NUMBER.sub("#", label).split())
        is_part = _EPOCH_WITHOUT_TOTAL.search(label) is not None
        count = CounterReading(name, float(bar[done] or 0), float(bar[total] or 0), is_part, pattern is _RICH)
        if bar[total] is None or (pattern is _TQDM and (bar[3] or bar[5])):
            # With units, such as 500/2.00M, only the percentage can be used.
            count = count._replace(done=float(bar[3] if pattern is _RICH else bar[1]), total=100.0)
        return _Bar(label, count, rest, behind)
    return None


def _parse_metrics(text: str) -> dict[str, float | str]:
    """Return the numbers in a text by full name, without names that have two different values."""
    found: dict[str, Any] = {}
    for name, value in _METRIC.findall(text):
        words = name.split()
        if len(words) <= _MAX_NAME_WORDS and not _IGNORED_NAMES & {words[-1].lower(), name.lower()}:
            found[name] = (
                None if name in found and found[name] != _parse_number(value) else _parse_number(value)
            )
    return {name: value for name, value in found.items() if value is not None}


def _parse_dict_metrics(text: str) -> dict[str, float | str]:
    """Return the numbers of a dictionary printed as a line, as transformers does."""
    text = text.strip()
    if not (text.startswith("{'") and text.endswith("}")):
        return {}
    try:
        printed = ast.literal_eval(text)
        if not (isinstance(printed, dict) and "epoch" in printed):
            return {}  # other dictionaries, for example settings, are no metrics
        return {
            # An escape in the text, such as \\ud800, may be a lone surrogate.
            str(name).encode("utf-8", "replace").decode(): _parse_number(str(value))
            for name, value in printed.items()
            if name not in _IGNORED_NAMES
        }
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return {}


def _parse_number(text: str) -> float | str:
    """Return a finite number, or the text that `deepaas.report` stores for others. Raise `ValueError`."""
    number = float(text.replace(",", ""))
    return number if math.isfinite(number) else str(number)
