"""Estimates the time that a training still takes."""


class EtaEstimator:
    """The pace since the first progress that is known: what came before, such as imports, says nothing of it.

    Nor do the steps that a resumed training had behind it.
    """

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self._last = (0.0, 0.0)

    def record(self, time_s: float, progress: float | None) -> None:
        """Note how far the training was at a time, in seconds since the epoch; None where nobody knows."""
        if progress is None:
            self._first = None
        elif self._first is None or progress < self._last[1]:
            self._first = self._last = (time_s, progress)
        elif progress > self._last[1]:
            self._last = (time_s, progress)

    def estimate_eta_s(self, now_s: float) -> float | None:
        """Return the seconds until the end, or None while there is no pace."""
        if self._first is None:
            return None
        (first_s, first), (last_s, last) = self._first, self._last
        if last >= 1:
            return 0.0
        if last <= first or last_s <= first_s:
            return None
        to_go_s = (last_s - first_s) / (last - first) * (1 - last)
        return round(max(0.0, to_go_s - (now_s - last_s)), 1)
