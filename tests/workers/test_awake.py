"""A process that stays awake for an answer: when it does, and for how long."""

import asyncio
import os

import pytest

from deepaas.workers.awake import Awake

A_WHILE_S = 0.02


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Return a list that has one entry more each time that the loop looks instead of sleeping."""
    looks: list[None] = []
    monkeypatch.setattr(os, "sched_yield", lambda: looks.append(None))
    return looks


async def answered(awake: Awake, number: int, after_s: float = 0) -> None:
    """Note a call that is alone and its answer."""
    awake.note_sent(number)
    if after_s:
        await asyncio.sleep(after_s)
    awake.note_heard(number)


def test_quick_answers(looks: list[None]) -> None:
    """Once an answer came quickly, the loop looks after the next call, for a moment and then no more."""

    async def work() -> None:
        awake = Awake()
        await answered(awake, 1)
        await asyncio.sleep(A_WHILE_S)
        assert not looks
        await answered(awake, 2)
        await asyncio.sleep(A_WHILE_S)
        seen = len(looks)
        assert seen > 1
        await asyncio.sleep(A_WHILE_S)
        assert len(looks) == seen

    asyncio.run(work())


def test_slow_answers(looks: list[None]) -> None:
    """After an answer that took long, the loop sleeps: whoever works needs the core more."""

    async def work() -> None:
        awake = Awake()
        await answered(awake, 1)
        await answered(awake, 2, after_s=A_WHILE_S)
        looks.clear()
        await answered(awake, 3, after_s=A_WHILE_S)
        assert not looks

    asyncio.run(work())


def test_calls_behind(looks: list[None]) -> None:
    """A call that follows another one into the pipe wakes nobody, so the loop need not stay awake for it."""

    async def work() -> None:
        awake = Awake()
        await answered(awake, 1)
        awake.note_sent(2)
        await asyncio.sleep(A_WHILE_S)
        looks.clear()
        awake.note_sent(3)
        await asyncio.sleep(A_WHILE_S)
        assert not looks

    asyncio.run(work())
