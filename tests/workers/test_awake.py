"""A process that stays awake for an answer: when it does, and for how long."""

import asyncio
import itertools
import os
import time

import pytest

from deepaas.workers.busy_poll import BusyPoller

QUICK_S, SLOW_S, LONG_S = 0.0001, 0.001, 1.0
TURNS = 10


class Clock:
    """A clock that stands still, but for what the test adds; `looks` is how often the loop looked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 5.0
        self.looks = 0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now_s)
        monkeypatch.setattr(os, "sched_yield", self._look)

    def _look(self) -> None:
        self.looks += 1

    async def looks_now(self) -> int:
        """Return how often the loop looks, while the clock stands still, in some turns."""
        before = self.looks
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return self.looks - before

    def answer(self, awake: BusyPoller, number: int, after_s: float) -> None:
        """Let a call that is alone be answered."""
        awake.record_sent(number)
        self.now_s += after_s
        awake.record_received(number)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a clock that the test moves."""
    return Clock(monkeypatch)


def test_quick_answers(clock: Clock) -> None:
    """Once an answer came quickly, the loop looks after the next call, for a moment and then no more."""

    async def work() -> None:
        awake = BusyPoller()
        clock.answer(awake, 1, QUICK_S)
        assert await clock.looks_now() == 0
        clock.answer(awake, 2, QUICK_S)
        assert await clock.looks_now() > 1
        clock.now_s += LONG_S
        assert await clock.looks_now() == 0

    asyncio.run(work())


def test_slow_answers(clock: Clock) -> None:
    """After an answer that took long, the loop sleeps: whoever works needs the core more."""

    async def work() -> None:
        awake = BusyPoller()
        clock.answer(awake, 1, QUICK_S)
        clock.answer(awake, 2, SLOW_S)
        clock.answer(awake, 3, QUICK_S)
        assert await clock.looks_now() == 0

    asyncio.run(work())


def test_others_take_the_core(clock: Clock) -> None:
    """When answers come late just when the loop looks for them, it looks less and less often, not never."""

    async def work() -> None:
        awake = BusyPoller()
        clock.answer(awake, 1, QUICK_S)
        awake_at = []
        for number in range(2, 200):
            awake.record_sent(number)
            looked = await clock.looks_now() > 0
            awake_at += [number] * looked
            clock.now_s += SLOW_S if looked else QUICK_S
            awake.record_received(number)
        pauses = [later - sooner for sooner, later in itertools.pairwise(awake_at)]
        assert len(pauses) >= 3
        assert all(longer > shorter for shorter, longer in itertools.pairwise(pauses))
        for number in range(200, 400):  # the core is free again
            clock.answer(awake, number, QUICK_S)
        awake.record_sent(400)
        assert await clock.looks_now() > 0

    asyncio.run(work())


def test_chunks_of_another(clock: Clock) -> None:
    """A quick chunk of a stream says nothing about the call behind it."""

    async def work() -> None:
        awake = BusyPoller()
        clock.answer(awake, 1, SLOW_S)
        awake.record_sent(2)
        clock.now_s += QUICK_S
        awake.record_received(1)
        clock.now_s += SLOW_S
        awake.record_received(2)
        clock.answer(awake, 3, QUICK_S)
        assert await clock.looks_now() == 0

    asyncio.run(work())


def test_calls_behind(clock: Clock) -> None:
    """When there is more than one call at a time, the loop sleeps: whoever makes them needs the core more."""

    async def work() -> None:
        awake = BusyPoller()
        clock.answer(awake, 1, QUICK_S)
        awake.record_sent(2)
        assert await clock.looks_now() > 1
        awake.record_sent(3)
        assert await clock.looks_now() == 0
        awake.record_received(3)
        clock.answer(awake, 4, QUICK_S)
        assert await clock.looks_now() == 0

    asyncio.run(work())
