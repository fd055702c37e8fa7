"""Retention policy: which finished trainings to delete."""

import re
import time
from collections.abc import Iterable
from typing import NamedTuple

from deepaas.trainings.record import TrainingRecord

# If available, use the clock that also counts while the machine sleeps.
_STEADY_CLOCK_ID = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_SECONDS_PER_UNIT = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class SteadyClock:
    """Time of day that ignores forward steps of the system clock since this object was created.

    Setting the clock ahead by a year must not make every training a year older.
    """

    def __init__(self) -> None:
        self._boot_time_s = time.time() - time.clock_gettime(_STEADY_CLOCK_ID)

    def now(self) -> float:
        """Return seconds since the epoch."""
        return min(time.time(), self._boot_time_s + time.clock_gettime(_STEADY_CLOCK_ID))


class RetentionPolicy(NamedTuple):
    """Keep a model's last `max_count` trainings, or the ones that finished within `max_age_s` seconds."""

    max_count: int | None = None
    max_age_s: float | None = None

    @classmethod
    def parse(cls, text: str) -> "RetentionPolicy":
        """Parse ``100`` as a number of trainings and ``30d`` as an age; an empty text keeps all.

        Raise `ValueError`; its message describes valid values.
        """
        found = re.fullmatch(r"(\d+)([mhdw]?)", text.strip().lower())
        if not text.strip():
            return cls()
        if not found:
            raise ValueError("a number of trainings, such as 100, or an age, such as 12h, 30d or 8w")
        number, unit = int(found[1]), found[2]
        return cls(max_age_s=number * _SECONDS_PER_UNIT[unit]) if unit else cls(max_count=number)

    def select_expired(self, trainings: Iterable[TrainingRecord], now: float) -> list[TrainingRecord]:
        """Return a model's finished trainings that the policy does not keep.

        With `max_age_s`, the last one is always kept: a forward step of the clock makes all of them old.
        """
        ended = sorted((one for one in trainings if one.state.is_final), key=_finish_time, reverse=True)
        if self.max_count is not None:
            return ended[self.max_count :]
        if self.max_age_s is not None:
            return [one for one in ended[1:] if now - _finish_time(one) > self.max_age_s]
        return []


def _finish_time(training: TrainingRecord) -> float:
    return training.finished or training.created
