"""Staying awake for what is about to come: to wake up takes as long as a small prediction.

It must not know what is sent and heard.
"""

import asyncio
import os
import time

_QUICK_S = 0.0002
_MOMENT_S = 0.0003
_SHORTEST_REST_CALLS = 8
_LONGEST_REST_CALLS = 1024


class Awake:
    """Keeps the loop of this process looking, instead of sleeping, for a moment after a call was sent.

    It does so when nothing else is waiting for the worker, nor was when the last call was sent, and that was
    answered quickly (a stream by its first chunk): then the answer, and most often the client's next request,
    come in that time. Otherwise it would take from others a core that it makes no use of.

    Where every core has something else to do, whoever yields one waits long until it is back: when an answer
    that was looked for comes late, the loop sleeps during the next calls, more of them each time.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._sent = self._heard = 0
        self._sent_s: float | None = None
        self._until_s = 0.0
        self._is_quick = False
        self._is_awake = False
        self._is_looking = False
        self._rest_calls = self._last_rest_calls = 0

    def note_sent(self, number: int) -> None:
        """Take note that the call with that number leaves."""
        is_alone = self._heard == self._sent
        self._sent = number
        self._is_awake = False
        self._until_s = 0.0
        if not is_alone:
            self._sent_s, self._is_quick = None, False
            return
        self._sent_s = time.perf_counter()
        if self._is_quick and self._rest_calls:
            self._rest_calls -= 1
        elif self._is_quick:
            self._is_awake = True
            self._until_s = self._sent_s + _MOMENT_S
            if not self._is_looking:
                self._is_looking = True
                self._loop.call_soon(self._look)

    def note_heard(self, number: int) -> None:
        """Take note that something about the call with that number has come."""
        self._heard = number
        if self._sent_s is None or number != self._sent:
            return
        self._is_quick = time.perf_counter() - self._sent_s < _QUICK_S
        self._sent_s = None
        if self._is_awake:
            longer = max(_SHORTEST_REST_CALLS, 2 * self._last_rest_calls)
            self._last_rest_calls = 0 if self._is_quick else min(longer, _LONGEST_REST_CALLS)
            self._rest_calls = self._last_rest_calls

    def _look(self) -> None:
        self._is_looking = time.perf_counter() < self._until_s
        if self._is_looking:
            os.sched_yield()  # to a worker that waits for this core
            self._loop.call_soon(self._look)
