"""A state machine for one worker: every call is accounted for once, and runs at most once."""

import asyncio
import collections
import contextlib
import itertools
import signal
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from deepaas.messages import Chunk, Reply
from deepaas.workers.call_queue import PendingCall
from deepaas.workers.local_process import LocalWorkerProcess
from deepaas.workers.worker import Worker, WorkerState
from support.calls import START, check, encoded, workers
from support.server import CALL_S, END_S

pytestmark = pytest.mark.slow
STATES = list(WorkerState)
DEADLY = [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM]


class WorkerMachine(RuleBasedStateMachine):
    """A worker, the calls sent to it, and events that affect it. After it exits, another one may start.

    Rules that do not apply in the current state do nothing. (Preconditions would confuse Hypothesis, because
    the time that a process takes to exit varies.)
    """

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.places = contextlib.ExitStack()
        self.folder = Path(self.places.enter_context(tempfile.TemporaryDirectory()))
        self.places.enter_context(contextlib.chdir(self.folder))
        self.numbers = itertools.count(1)
        self.expected: dict[PendingCall, int | None] = {}
        self.name_of: dict[PendingCall, str] = {}
        self.sent: set[PendingCall] = set()
        self.begun: set[PendingCall] = set()
        self.not_begun: list[PendingCall] = []
        self.worker: Worker | None = None
        self.is_stopped = False

    @property
    def is_ready(self) -> bool:
        """Whether a worker accepts calls."""
        return self.worker is not None and self.worker.state is WorkerState.READY

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the machine's loop; fail if it hangs."""

        async def in_time() -> Any:
            async with asyncio.timeout(CALL_S):
                return await work

        return self.runner.run(in_time())

    async def _start(self) -> None:
        self.worker = Worker(START, LocalWorkerProcess(), self.on_reply, self.on_return, self.on_chunk)
        self.is_stopped = False
        self.state = self.worker.state
        await self.worker.start()
        assert self.worker.state is WorkerState.READY
        self.ending = asyncio.create_task(self.worker.wait())

    def on_reply(self, pending: PendingCall, reply: Reply) -> None:
        """Check the reply to a call, which may come only once."""
        self.sent.remove(pending)
        self.begun.add(pending)
        check(reply.outcome, self.expected[pending])  # type: ignore[arg-type]  # a body or a failure

    def on_return(self, pending: PendingCall) -> None:
        """Record a call that the worker returned without running it."""
        self.sent.remove(pending)
        self.not_begun.append(pending)

    def on_chunk(self, _: Worker, number: int, chunk: Chunk) -> None:
        """Fail: no call here is a stream."""
        raise AssertionError(f"call {number} was answered with {chunk}")

    def send(self, number: int | None, /, **arguments: Any) -> None:
        """Send a new call, which writes its name to a file when it runs. Start a worker if there is none."""
        if self.worker is None:
            self.run(self._start())
        if not self.is_ready:
            return
        name = f"call {next(self.numbers)}"

        async def make() -> PendingCall:
            loop = asyncio.get_running_loop()
            return PendingCall(encoded(note=name, **arguments), loop.create_future(), loop.time())

        pending = self.run(make())
        self.expected[pending], self.name_of[pending] = number, name
        self.not_begun.append(pending)
        self.send_again()

    def send_again(self) -> None:
        """Send the last call that no worker has started."""

        async def send() -> None:
            assert self.worker is not None
            if self.is_ready:
                pending = self.not_begun.pop()
                self.sent.add(pending)
                self.worker.send(pending)

        self.run(send())

    @rule(count=st.integers(1, 10))
    def short_calls(self, count: int) -> None:
        for number in range(count):
            self.send(number, number=number)

    @rule()
    def long_call(self) -> None:
        self.send(7, number=7, spin_s=0.05)

    @rule()
    def failing_call(self) -> None:
        self.send(None, end="raise")

    @rule()
    def deadly_call(self) -> None:
        self.send(None, end="SIGABRT")

    @rule()
    def returned_calls(self) -> None:
        while self.is_ready and self.not_begun:
            self.send_again()

    @rule()
    def take_back(self) -> None:
        if self.worker is None:
            return
        for pending in self.run(self.worker.revoke_unstarted()):
            self.on_return(pending)

    @rule(stop=st.booleans())
    def stop_or_continue(self, *, stop: bool) -> None:
        self.signal(signal.SIGSTOP if stop else signal.SIGCONT)
        self.is_stopped = stop

    @rule(number=st.sampled_from(DEADLY))
    def harm(self, number: signal.Signals) -> None:
        self.signal(number)

    def signal(self, number: signal.Signals) -> None:
        if self.worker is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(self.worker.pid).send_signal(number)

    @rule()
    def kill(self) -> None:
        if self.worker is not None:
            self.worker.kill("timeout")

    @rule()
    def leave(self) -> None:
        if self.worker is not None and not self.is_stopped:
            self.run(self._leave())

    async def _leave(self) -> None:
        """Retire the worker; if it survives until then, it answers all its calls, and exits."""
        assert self.worker is not None
        self.worker.retire()
        await self._quiet()
        await self.ending

    @rule()
    def stop(self) -> None:
        if self.worker is not None:
            self.run(self.worker.stop())

    @rule()
    def time_passes(self) -> None:
        """The worker answers all its calls, unless it is stopped or exits."""
        if self.worker is not None and not self.is_stopped:
            self.run(self._quiet())

    async def _quiet(self) -> None:
        assert self.worker is not None
        idle = asyncio.create_task(self.worker.wait_idle())
        await asyncio.wait([idle, self.ending], return_when=asyncio.FIRST_COMPLETED)
        if idle.done() and not self.ending.done():
            assert not self.sent
        idle.cancel()

    @rule()
    def bury(self) -> None:
        if self.worker is not None and self.ending.done():
            self.run(self._bury())

    async def _bury(self) -> None:
        """Account for the calls in flight of an exited worker, and forget the worker."""
        assert self.worker is not None
        assert await self.ending
        self._account()
        await self.worker.stop()
        self.worker.close()
        self.worker = None

    def _account(self) -> None:
        """Check that every sent call was answered, returned, started or not started."""
        assert self.worker is not None
        begun, not_begun = self.worker.split_in_flight()
        assert len(begun) <= 1 or self.worker.stop_requested
        assert {*begun, *not_begun} == self.sent
        self.begun.update(begun)
        self.not_begun += not_begun
        self.sent.clear()

    @invariant()
    def states_go_forward(self) -> None:
        if self.worker is not None:
            assert STATES.index(self.worker.state) >= STATES.index(self.state)
            self.state = self.worker.state

    @invariant()
    def what_runs_was_sent(self) -> None:
        running = self.worker.get_current_call() if self.worker is not None else None
        assert running is None or running in self.sent

    def teardown(self) -> None:
        """No process is left, no call ran twice, and no call that counts as not started has run."""
        try:
            if self.worker is not None:
                self.run(self.worker.stop())
                self.run(self._bury())
            notes = self.folder / "notes"
            ran = collections.Counter(notes.read_text().splitlines() if notes.exists() else ())
            assert set(ran.values()) <= {1}, ran
            assert not set(ran) & {self.name_of[pending] for pending in self.not_begun}
        finally:
            self.runner.close()
            self.places.close()
        assert not psutil.wait_procs(workers(), timeout=END_S)[1]


TestWorker = WorkerMachine.TestCase
TestWorker.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    phases=[Phase.generate],  # starting processes is too slow for shrinking
    suppress_health_check=list(HealthCheck),
    database=None,
)
TestWorker.runTest.__doc__ = "Every call is accounted for exactly once, and run at most once."
