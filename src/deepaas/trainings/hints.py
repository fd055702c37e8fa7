"""Progress read from what a training prints: tqdm's bars, Keras's, and lines like ``epoch 3/10``.

It must not know where the lines come from.
"""

import re
from typing import NamedTuple

_EPOCH = re.compile(
    r"\b(?:epoch|iteration|iter|round|fold|trial)s?\W{0,3}(\d+)\s*(?:/|of)\s*(\d+)", re.IGNORECASE
)
_STEP = re.compile(r"\b(?:step|batch)(?:es|s)?\W{0,3}(\d+)\s*(?:/|of)\s*(\d+)", re.IGNORECASE)
_TQDM = re.compile(r"(\d+)%\|[^|]*\|\s*([\d.]+)(\w?)/([\d.]+)\w?\s*\[")
_KERAS = re.compile(r"^\s*(?:\x1b\[\d*m)*(\d+)/(\d+)\s*(?:\x1b\[[\d;]*m)*\s*[\[━─]")
_METRIC = re.compile(r"\b([A-Za-z_][\w.]*)\s*[:=]\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.%/:])")
_WITHOUT_MEANING = {"epoch", "step", "batch", "iteration", "iter", "eta", "time", "round", "fold", "trial"}
_ANSI = re.compile(r"\x1b\[[\d;]*[A-Za-z]")


class Hint(NamedTuple):
    """What a line gives away: progress from 0 to 1, the epoch it is about, metrics by name."""

    progress: float | None
    epoch: int | None
    metrics: dict[str, float]


class Hints:
    """Reads the lines of one training, in order."""

    def __init__(self) -> None:
        self._epoch = 0
        self._epochs = 0

    def read(self, line: str) -> Hint | None:
        """Return what the line gives away, if anything."""
        text = _ANSI.sub("", line)
        epoch = _EPOCH.search(text)
        if epoch and int(epoch[2]):
            return self._read_epoch(text, epoch)
        part = _part(text)
        if part is None:
            return None
        if not self._epochs:
            return Hint(part, None, {})
        return Hint(min(1.0, (self._epoch - 1 + part) / self._epochs), None, {})

    def _read_epoch(self, text: str, epoch: re.Match[str]) -> Hint:
        """Read a line that names an epoch: alone, it announces it; with metrics, it reports its end."""
        self._epoch, self._epochs = int(epoch[1]), int(epoch[2])
        found = _METRIC.findall(text[epoch.end() :])
        metrics = {name: float(value) for name, value in found if name.lower() not in _WITHOUT_MEANING}
        part = _part(text[epoch.end() :])
        if part is not None:
            ended = self._epoch - 1 + part
        else:
            ended = float(self._epoch if metrics else max(0, self._epoch - 1))
        return Hint(min(1.0, ended / self._epochs), self._epoch, metrics)


def _part(text: str) -> float | None:
    """Return the part of a bar, or of steps, that is done."""
    bar = _TQDM.search(text)
    if bar:
        # With units, such as 500k/2.00M, the percentage is all there is to go by.
        exact = not bar[3] and float(bar[4]) > 0
        return min(1.0, float(bar[2]) / float(bar[4]) if exact else float(bar[1]) / 100)
    for pattern, done, total in ((_KERAS, 1, 2), (_STEP, 1, 2)):
        match = pattern.search(text)
        if match and float(match[total]) > 0:
            return min(1.0, float(match[done]) / float(match[total]))
    return None
