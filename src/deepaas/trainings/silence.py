"""Who has fallen silent among those that look after trainings on other machines.

It must not know where heartbeats are kept.
"""

from collections.abc import Mapping


class Silence:
    """Finds the trainings whose heartbeat has not changed in the last `looks` looks.

    Looks are counted instead of seconds, and only those that were made: neither another machine's clock nor a
    database that was away for a while makes anybody silent.
    """

    def __init__(self, looks: int) -> None:
        self._looks = looks
        self._unchanged: dict[str, tuple[int, int]] = {}

    def among(self, heartbeats: Mapping[str, int]) -> set[str]:
        """Look once: return the trainings that are silent, of those whose heartbeats are given by uuid."""
        before = self._unchanged
        self._unchanged = {}
        for uuid, heartbeat in heartbeats.items():
            last, looks = before.get(uuid, (None, 0))
            self._unchanged[uuid] = (heartbeat, looks + 1 if heartbeat == last else 0)
        return {uuid for uuid, (_, looks) in self._unchanged.items() if looks > self._looks}
