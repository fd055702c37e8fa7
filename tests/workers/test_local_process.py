"""A local worker process and its pipe, without a server."""

import asyncio
import os
import select
import time
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from deepaas.messages import Ready, Reply
from deepaas.workers.local_process import LocalWorkerProcess
from support.calls import START, encoded
from support.server import CALL_S


class MessageRecorder:
    """Records the messages of a process."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, Any]] = []
        self.ready = asyncio.Event()
        self.replied = {number: asyncio.Event() for number in range(1, 7)}

    def on_message(self, number: int, message: Any) -> None:
        """Record a message."""
        self.messages.append((number, message))
        if isinstance(message, Ready):
            self.ready.set()
        elif isinstance(message, Reply):
            self.replied[number].set()

    def on_protocol_error(self) -> None:
        """Fail: no process here violates the protocol."""
        raise AssertionError

    def on_disconnect(self) -> None:
        pass


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_answers_before_a_death(make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Replies sent before a process died are received, even if more calls are sent in between."""

    async def work() -> None:
        process, recorder = LocalWorkerProcess(), MessageRecorder()
        async with asyncio.timeout(CALL_S):
            await process.start(START, recorder)
            await recorder.ready.wait()
            for number in range(1, 4):
                process.send(encoded(number=number), number)
            assert process.pid is not None
            # Once the process is dead, the descriptor is readable, no matter who reaps the process.
            with open(os.pidfd_open(process.pid), "rb") as dead:  # noqa: ASYNC230, PTH123 - nothing is read
                process.send(encoded(end="SIGKILL"), 4)
                process.send(encoded(number=5), 5)
                await asyncio.sleep(0)
                # Block the loop, so that it finds the death and the replies at the same time.
                assert select.select([dead], [], [], CALL_S)[0]
            process.send(encoded(number=6), 6)
            await process.wait()
            await process.drain_output()
            await process.terminate(0)
        replies = [number for number, message in recorder.messages if isinstance(message, Reply)]
        assert replies == [1, 2, 3]
        assert process.last_started == 4
        process.close()

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(work())


@pytest.mark.parametrize("stays_awake", [True, False])
def test_awake_for_an_answer(monkeypatch: pytest.MonkeyPatch, *, stays_awake: bool) -> None:
    """After a fast reply the loop polls for the next one, unless busy polling is off."""
    looks: list[None] = []
    monkeypatch.setattr(time, "perf_counter", lambda: 5.0)
    monkeypatch.setattr(os, "sched_yield", lambda: looks.append(None))

    async def work() -> None:
        process, recorder = LocalWorkerProcess(uses_busy_polling=stays_awake), MessageRecorder()
        async with asyncio.timeout(CALL_S):
            await process.start(START, recorder)
            await recorder.ready.wait()
            for number in (1, 2):
                assert not looks
                process.send(encoded(number=number), number)
                await recorder.replied[number].wait()
            monkeypatch.undo()
            await process.terminate(0)
        process.close()

    asyncio.run(work())
    assert bool(looks) == stays_awake
