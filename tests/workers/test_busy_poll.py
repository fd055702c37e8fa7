"""Busy polling: when the loop polls for a reply, and for how long."""

import asyncio
import itertools
import os
import time

import pytest

from deepaas.workers.busy_poll import BusyPoller

QUICK_S, SLOW_S, LONG_S = 0.0001, 0.001, 1.0
TURNS = 10


class Clock:
    """A clock that only the test moves; `polls` counts the polls of the loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 5.0
        self.polls = 0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now_s)
        monkeypatch.setattr(os, "sched_yield", self._poll)

    def _poll(self) -> None:
        self.polls += 1

    async def count_polls(self) -> int:
        """Return the number of polls during some turns of the loop, while the clock stands still."""
        before = self.polls
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return self.polls - before

    def answer(self, poller: BusyPoller, number: int, after_s: float) -> None:
        """Send a single call and receive its reply."""
        poller.record_sent(number)
        self.now_s += after_s
        poller.record_received(number)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_polls_after_a_fast_reply(clock: Clock) -> None:
    """After a fast reply, the loop polls for the next one, but only for a moment."""

    async def work() -> None:
        poller = BusyPoller()
        clock.answer(poller, 1, QUICK_S)
        assert await clock.count_polls() == 0
        clock.answer(poller, 2, QUICK_S)
        assert await clock.count_polls() > 1
        clock.now_s += LONG_S
        assert await clock.count_polls() == 0

    asyncio.run(work())


def test_sleeps_after_a_slow_reply(clock: Clock) -> None:
    """After a slow reply the loop sleeps, because the worker needs the core."""

    async def work() -> None:
        poller = BusyPoller()
        clock.answer(poller, 1, QUICK_S)
        clock.answer(poller, 2, SLOW_S)
        clock.answer(poller, 3, QUICK_S)
        assert await clock.count_polls() == 0

    asyncio.run(work())


def test_polls_less_often_on_a_busy_machine(clock: Clock) -> None:
    """If replies are slow whenever the loop polls, the pauses between polls grow, but stay finite."""

    async def work() -> None:
        poller = BusyPoller()
        clock.answer(poller, 1, QUICK_S)
        polled_at = []
        for number in range(2, 200):
            poller.record_sent(number)
            polled = await clock.count_polls() > 0
            polled_at += [number] * polled
            clock.now_s += SLOW_S if polled else QUICK_S
            poller.record_received(number)
        pauses = [later - sooner for sooner, later in itertools.pairwise(polled_at)]
        assert len(pauses) >= 3
        assert all(longer > shorter for shorter, longer in itertools.pairwise(pauses))
        for number in range(200, 400):  # the core is free again
            clock.answer(poller, number, QUICK_S)
        poller.record_sent(400)
        assert await clock.count_polls() > 0

    asyncio.run(work())


def test_chunks_of_another(clock: Clock) -> None:
    """A fast chunk of an earlier stream says nothing about the current call."""

    async def work() -> None:
        poller = BusyPoller()
        clock.answer(poller, 1, SLOW_S)
        poller.record_sent(2)
        clock.now_s += QUICK_S
        poller.record_received(1)
        clock.now_s += SLOW_S
        poller.record_received(2)
        clock.answer(poller, 3, QUICK_S)
        assert await clock.count_polls() == 0

    asyncio.run(work())


def test_sleeps_with_several_calls_in_flight(clock: Clock) -> None:
    """With several calls in flight the loop sleeps, because the clients need the core."""

    async def work() -> None:
        poller = BusyPoller()
        clock.answer(poller, 1, QUICK_S)
        poller.record_sent(2)
        assert await clock.count_polls() > 1
        poller.record_sent(3)
        assert await clock.count_polls() == 0
        poller.record_received(3)
        clock.answer(poller, 4, QUICK_S)
        assert await clock.count_polls() == 0

    asyncio.run(work())
