"""Estimates the remaining time of a training."""


class EtaEstimator:
    """Extrapolates the pace since the first known progress.

    Time before it, such as imports, does not count, nor do steps that a resumed training did earlier.
    """

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self._last = (0.0, 0.0)

    def record(self, time_s: float, progress: float | None) -> None:
        """Record the progress at a time in seconds since the epoch; None restarts the estimate."""
        if progress is None:
            self._first = None
        elif self._first is None or progress < self._last[1]:
            self._first = self._last = (time_s, progress)
        elif progress > self._last[1]:
            self._last = (time_s, progress)

    def estimate_eta_s(self, now_s: float) -> float | None:
        """Return the remaining seconds, or None while the pace is unknown."""
        if self._first is None:
            return None
        (first_s, first), (last_s, last) = self._first, self._last
        if last >= 1:
            return 0.0
        if last <= first or last_s <= first_s:
            return None
        remaining_s = (last_s - first_s) / (last - first) * (1 - last)
        return round(max(0.0, remaining_s - (now_s - last_s)), 1)
