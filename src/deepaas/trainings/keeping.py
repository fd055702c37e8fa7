"""How many finished trainings to keep, or for how long. It must not know how they are removed."""

import re
import time
from collections.abc import Iterable
from typing import NamedTuple

from deepaas.trainings.training import Training

# Where there is one, a clock that goes on while the machine sleeps.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class SteadyClock:
    """The time of day, less what a step of the clock added to it since this was made.

    When somebody sets the clock ahead by a year, no training has become a year older.
    """

    def __init__(self) -> None:
        self._begin_s = time.time() - time.clock_gettime(_STEADY)

    def now(self) -> float:
        """Return seconds since the epoch."""
        return min(time.time(), self._begin_s + time.clock_gettime(_STEADY))


class Keeping(NamedTuple):
    """Keep the last `most` trainings of a model, or those that ended less than `age_s` seconds ago."""

    most: int | None = None
    age_s: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Keeping":
        """Read ``100`` as a number of trainings and ``30d`` as an age; nothing keeps all.

        Raise `ValueError`, with words that say what would be right.
        """
        found = re.fullmatch(r"(\d+)([mhdw]?)", text.strip().lower())
        if not text.strip():
            return cls()
        if not found:
            raise ValueError("a number of trainings, such as 100, or an age, such as 12h, 30d or 8w")
        number, unit = int(found[1]), found[2]
        return cls(age_s=number * _SECONDS[unit]) if unit else cls(most=number)

    def superfluous(self, trainings: Iterable[Training], now: float) -> list[Training]:
        """Return those of a model's trainings that are not to be kept.

        The last one is always kept: when the clock jumps ahead, all of them are suddenly old.
        """
        ended = sorted((one for one in trainings if one.state.is_end), key=_end, reverse=True)
        if self.most is not None:
            return ended[self.most :]
        if self.age_s is not None:
            return [one for one in ended[1:] if now - _end(one) > self.age_s]
        return []


def _end(training: Training) -> float:
    return training.finished or training.created
