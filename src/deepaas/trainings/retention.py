"""Retention policy: which finished trainings to delete."""

import re
import time
from collections.abc import Iterable
from typing import NamedTuple

from deepaas.trainings.record import TrainingRecord

# Where there is one, a clock that goes on while the machine sleeps.
_STEADY_CLOCK_ID = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_SECONDS_PER_UNIT = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class SteadyClock:
    """The time of day, less what a step of the clock added to it since this was made.

    When somebody sets the clock ahead by a year, no training has become a year older.
    """

    def __init__(self) -> None:
        self._boot_time_s = time.time() - time.clock_gettime(_STEADY_CLOCK_ID)

    def now(self) -> float:
        """Return seconds since the epoch."""
        return min(time.time(), self._boot_time_s + time.clock_gettime(_STEADY_CLOCK_ID))


class RetentionPolicy(NamedTuple):
    """Keep the last `most` trainings of a model, or those that ended less than `age_s` seconds ago."""

    max_count: int | None = None
    max_age_s: float | None = None

    @classmethod
    def parse(cls, text: str) -> "RetentionPolicy":
        """Read ``100`` as a number of trainings and ``30d`` as an age; nothing keeps all.

        Raise `ValueError`, with words that say what would be right.
        """
        found = re.fullmatch(r"(\d+)([mhdw]?)", text.strip().lower())
        if not text.strip():
            return cls()
        if not found:
            raise ValueError("a number of trainings, such as 100, or an age, such as 12h, 30d or 8w")
        number, unit = int(found[1]), found[2]
        return cls(max_age_s=number * _SECONDS_PER_UNIT[unit]) if unit else cls(max_count=number)

    def select_expired(self, trainings: Iterable[TrainingRecord], now: float) -> list[TrainingRecord]:
        """Return those of a model's trainings that are not to be kept.

        The last one is always kept: when the clock jumps ahead, all of them are suddenly old.
        """
        ended = sorted((one for one in trainings if one.state.is_final), key=_finish_time, reverse=True)
        if self.max_count is not None:
            return ended[self.max_count :]
        if self.max_age_s is not None:
            return [one for one in ended[1:] if now - _finish_time(one) > self.max_age_s]
        return []


def _finish_time(training: TrainingRecord) -> float:
    return training.finished or training.created
