"""A state machine for a pool: after any sequence of events, every call gets exactly one correct outcome."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from deepaas.config.settings import WorkerRange
from deepaas.errors import ModelUnavailable, PredictionTimeout, WorkerDied
from deepaas.messages import Body, Failure
from deepaas.metrics import Metrics
from deepaas.workers.pool import Pool
from deepaas.workers.pool_config import PoolConfig
from support.calls import START, check, encoded, workers
from support.machine import timeout_s
from support.server import CALL_S, END_S

pytestmark = pytest.mark.slow
LIMIT_S = timeout_s(1.5)


class PoolMachine(RuleBasedStateMachine):
    """A pool of two to four workers, its calls, and events that affect them."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.harmed = False
        self.calls: list[tuple[asyncio.Task[Body | Failure], int | None]] = []
        self.numbers = iter(range(1, 10_000))
        limits = PoolConfig(
            workers=WorkerRange(2, 4),
            scale_down_after_s=0.3,
            max_batch_size=1,
            batch_timeout_s=0,
            start_timeout_s=0,
            predict_timeout_s=LIMIT_S,
            max_queue=1000,
            cancel_on_disconnect=True,
        )
        self.run(self.open(limits))

    async def open(self, limits: PoolConfig) -> None:
        self.pool = Pool(START, limits, Metrics().create_pool_metrics("told"))
        await self.pool.__aenter__()
        await self.pool.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the machine's loop; fail if it hangs."""

        async def in_time() -> Any:
            async with asyncio.timeout(CALL_S):
                return await work

        return self.runner.run(in_time())

    def call(self, number: int | None, /, **arguments: Any) -> None:
        """Submit a call. Its response must contain `number`; None means that the model fails."""

        async def begin() -> None:
            self.calls.append((asyncio.create_task(self.pool.submit(encoded(**arguments))), number))
            await asyncio.sleep(0)

        self.run(begin())

    @rule(count=st.integers(1, 20))
    def short_calls(self, count: int) -> None:
        for _ in range(count):
            number = next(self.numbers)
            self.call(number, number=number)

    @rule(spin_s=st.sampled_from([0.02, 0.2]))
    def long_call(self, spin_s: float) -> None:
        number = next(self.numbers)
        self.call(number, number=number, spin_s=spin_s)

    @rule()
    def failing_call(self) -> None:
        self.call(None, end="raise")

    @rule(index=st.integers(0, 3), number=st.sampled_from([signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP]))
    def harm_a_worker(self, index: int, number: signal.Signals) -> None:
        self.harmed = True
        there = workers()
        if there:
            with contextlib.suppress(psutil.NoSuchProcess):
                there[index % len(there)].send_signal(number)

    @rule()
    def reload(self) -> None:
        async def attempt() -> None:
            with contextlib.suppress(ModelUnavailable):
                await self.pool.reload()

        if not self.harmed:
            self.run(attempt())

    @rule(index=st.integers(0, 30))
    def caller_leaves(self, index: int) -> None:
        if self.calls:
            self.harmed = True  # a running call is killed with its worker
            self.calls[index % len(self.calls)][0].cancel()

    @rule()
    def all_end(self) -> None:
        """Every call finishes with the expected outcome."""

        async def gather() -> list[Any]:
            return await asyncio.gather(*(task for task, _ in self.calls), return_exceptions=True)

        for outcome, (_, number) in zip(self.run(gather()), self.calls, strict=True):
            check_any(outcome, number, harmed=self.harmed)
        self.calls.clear()

    def teardown(self) -> None:
        """The pool recovers, then closes without leaving a process."""
        try:
            self.all_end()
            self.run(self.recovers())
            self.run(self.pool.__aexit__())
        finally:
            self.runner.close()
        gone, alive = psutil.wait_procs(workers(), timeout=END_S)
        assert not alive, gone

    async def recovers(self) -> None:
        """Submit calls until one succeeds."""
        while True:
            try:
                outcome = await self.pool.submit(encoded(number=7))
            except (ModelUnavailable, WorkerDied, PredictionTimeout):
                await asyncio.sleep(0.05)  # between two attempts, not instead of one
            else:
                check_any(outcome, 7, harmed=False)
                return


def check_any(outcome: Any, number: int | None, *, harmed: bool) -> None:
    """Check the outcome of a call; errors of the pool are allowed only if workers were harmed."""
    if isinstance(outcome, Body | Failure):
        check(outcome, number)
    else:
        expected = (WorkerDied, PredictionTimeout, ModelUnavailable, asyncio.CancelledError)
        assert isinstance(outcome, expected), repr(outcome)
        assert harmed, repr(outcome)


TestPool = PoolMachine.TestCase
TestPool.settings = settings(
    max_examples=8,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
TestPool.runTest.__doc__ = "Every call gets exactly one right outcome, and no process is left."
