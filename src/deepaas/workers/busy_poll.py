"""Busy polling: the event loop does not sleep just before a quick response."""

import asyncio
import os
import time

_QUICK_REPLY_S = 0.0002
_POLL_DURATION_S = 0.0003
_MIN_SKIPPED_CALLS = 8
_MAX_SKIPPED_CALLS = 1024


class BusyPoller:
    """Keeps the loop of this process looking, instead of sleeping, for a moment after a call was sent.

    It does so when nothing else is waiting for the worker, nor was when the last call was sent, and that was
    answered quickly (a stream by its first chunk): then the answer, and most often the client's next request,
    come in that time. Otherwise it would take from others a core that it makes no use of.

    Where every core has something else to do, whoever yields one waits long until it is back: when an answer
    that was looked for comes late, the loop sleeps during the next calls, more of them each time.
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
        """Take note that the call with that number leaves."""
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
        """Take note that something about the call with that number has come."""
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
            os.sched_yield()  # to a worker that waits for this core
            self._loop.call_soon(self._poll)
