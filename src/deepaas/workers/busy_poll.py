"""Busy polling: keeps the event loop from sleeping shortly before a quick reply."""

import asyncio
import os
import time

_QUICK_REPLY_S = 0.0002
_POLL_DURATION_S = 0.0003
_MIN_SKIPPED_CALLS = 8
_MAX_SKIPPED_CALLS = 1024


class BusyPoller:
    """Lets the event loop poll, instead of sleep, for 0.3 ms after a call was sent.

    It polls only if this call and the previous one are alone in the worker's pipe, and the previous reply (of
    a stream, its first chunk) was quick. Then the reply, and most often the client's next request, arrive
    within that time. Otherwise polling would waste a core.

    On a busy machine, yielding the core can cost a full time slice. After a late reply, the loop therefore
    does not poll during the next 8 calls, and doubles that number each time, up to 1,024.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._last_sent = self._last_received = 0
        self._sent_at: float | None = None
        self._poll_until = 0.0
        self._is_quick = False
        self._is_polling = False
        self._is_poll_scheduled = False
        self._calls_to_skip = self._last_skip_count = 0

    def record_sent(self, number: int) -> None:
        """Record that the call with that number is sent, and poll for its reply if that is worthwhile."""
        is_alone = self._last_received == self._last_sent
        self._last_sent = number
        self._is_polling = False
        self._poll_until = 0.0
        if not is_alone:
            self._sent_at, self._is_quick = None, False
            return
        self._sent_at = time.perf_counter()
        if self._is_quick and self._calls_to_skip:
            self._calls_to_skip -= 1
        elif self._is_quick:
            self._is_polling = True
            self._poll_until = self._sent_at + _POLL_DURATION_S
            if not self._is_poll_scheduled:
                self._is_poll_scheduled = True
                self._loop.call_soon(self._poll)

    def record_received(self, number: int) -> None:
        """Record that a message about the call with that number has arrived."""
        self._last_received = number
        if self._sent_at is None or number != self._last_sent:
            return
        self._is_quick = time.perf_counter() - self._sent_at < _QUICK_REPLY_S
        self._sent_at = None
        if self._is_polling:
            longer = max(_MIN_SKIPPED_CALLS, 2 * self._last_skip_count)
            self._last_skip_count = 0 if self._is_quick else min(longer, _MAX_SKIPPED_CALLS)
            self._calls_to_skip = self._last_skip_count

    def _poll(self) -> None:
        self._is_poll_scheduled = time.perf_counter() < self._poll_until
        if self._is_poll_scheduled:
            os.sched_yield()  # the worker may need this core
            self._loop.call_soon(self._poll)
