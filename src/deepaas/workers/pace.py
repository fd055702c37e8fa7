"""How long calls take, as far as recent ones tell, and what follows from that.

It must not know which calls there are.
"""

from deepaas.messages import Reply

_LONG_CALL_S = 0.001
_SHORTEST_CALL_S = 1e-6
_DEEPEST = 32
_RECENT = 0.1


class Pace:
    """The mean time for which a recent call kept its worker busy.

    `depth` is how many calls may be in a worker's pipe. One, when a call takes long: then the queue in the
    server stays exact. More, when calls are so short that a worker would wait for the next one longer than
    it works. Those that may run together go all at once.
    """

    def __init__(self, most_together: int) -> None:
        self.depth = 1
        self._deepest = _DEEPEST if most_together == 1 else 1
        self._service_s: float | None = None

    def note(self, reply: Reply) -> None:
        """Take what a reply tells; calls that ran together share the time that they took."""
        share_s = max(reply.model_s / reply.together + reply.render_s, _SHORTEST_CALL_S)
        before_s = self._service_s or share_s
        self._service_s = service_s = before_s + _RECENT * (share_s - before_s)
        self.depth = max(1, min(self._deepest, int(_LONG_CALL_S / service_s)))

    def work_s(self, calls: int) -> float:
        """Return how long so many calls would keep one worker busy; 0 when that is not known yet."""
        return calls * (self._service_s or 0.0)
