"""Busy polling: keeps the event loop from sleeping shortly before a quick reply."""

import asyncio
import os
import time

_QUICK_REPLY_S = 0.0002
_EXTRA_POLL_S = 0.0001
_MIN_SKIPPED_CALLS = 8
_MAX_SKIPPED_CALLS = 1024


class BusyPoller:
    """Lets the event loop poll, instead of sleep, for 0.3 ms after a call was sent.

    It polls only if this call and the previous one are alone in the worker's pipe, and the previous reply (of
    a stream, its first chunk) was quick: then the reply, and most often the client's next request, arrive
    within that time. If a polled reply is late, the next 8 calls are not polled, and twice as many each time,
    up to 1,024: on a busy machine, yielding the core can cost a full time slice.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._last_sent = self._last_received = self._awaited = self._skip_count = 0
        self._deadline = 0.0
        self._first_polled = 2  # the first call that may be polled: one after a quick reply
        self._is_scheduled = False

    def record_sent(self, number: int) -> None:
        """Record that the call with that number is sent, and poll for its reply if that is worthwhile."""
        self._awaited = number if self._last_received == self._last_sent else 0
        self._last_sent = number
        if self._awaited:
            self._deadline = time.perf_counter() + _QUICK_REPLY_S
        else:
            self._first_polled = max(self._first_polled, number + 2)
        if number >= self._first_polled and not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._poll)

    def record_received(self, number: int) -> None:
        """Record that a message about the call with that number has arrived."""
        self._last_received = number
        if not number or number != self._awaited:
            return
        self._awaited = 0
        is_late = time.perf_counter() >= self._deadline
        if number >= self._first_polled:
            longer = min(max(_MIN_SKIPPED_CALLS, 2 * self._skip_count), _MAX_SKIPPED_CALLS)
            self._skip_count = longer if is_late else 0
            self._first_polled = number + self._skip_count
        if is_late:  # one quick reply must come before the next poll
            self._first_polled = max(self._first_polled, number + 1) + 1

    def _poll(self) -> None:
        is_polled = self._last_sent >= self._first_polled
        self._is_scheduled = is_polled and time.perf_counter() < self._deadline + _EXTRA_POLL_S
        if self._is_scheduled:
            os.sched_yield()  # the worker may need this core
            self._loop.call_soon(self._poll)
