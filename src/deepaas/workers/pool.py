"""A model's workers and the queue before them: dispatch, and replacing the dead.

It must not know HTTP nor fields.
"""

import asyncio
import collections
import itertools
import logging
from collections.abc import Callable
from typing import Self

from deepaas.errors import ModelUnavailable
from deepaas.messages import Body, Failed, Start, frame
from deepaas.workers.process import Pending, State, Worker

_LONG_CALL_S = 0.001
_DEEPEST = 32
_RECENT = 0.1
_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 30.0
_log = logging.getLogger(__name__)


class Pool:
    """The workers of one model.

    Use it as an asynchronous context manager: entering starts and warms the workers, leaving ends them.
    """

    def __init__(self, start: Start, workers: int, on_output: Callable[[bytes], None] | None = None) -> None:
        self._start = start
        self._size = workers
        self._on_output = on_output
        self._workers: list[Worker] = []
        self._waiting: collections.deque[Pending] = collections.deque()
        self._ids = itertools.count(1)
        self._service_s = _LONG_CALL_S
        self._cause: str | None = None
        self._keepers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        workers = [self._new_worker() for _ in range(self._size)]
        started = await asyncio.gather(*(worker.start() for worker in workers), return_exceptions=True)
        problem = next((result for result in started if isinstance(result, BaseException)), None)
        if problem:
            await asyncio.gather(*(worker.stop() for worker in workers))
            raise problem
        self._keepers = [asyncio.create_task(self._keep(worker)) for worker in workers]
        return self

    async def __aexit__(self, *_: object) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._fail_waiting("The server is stopping.")

    async def run(self, call: bytes) -> Body | Failed:
        """Queue an encoded call and return what came of it.

        Raise `ModelUnavailable` when there is no worker and none could be started.
        """
        if self._cause:
            raise ModelUnavailable(self._cause)
        call_id = next(self._ids)
        pending = Pending(call_id, frame(call, call_id), asyncio.get_running_loop().create_future())
        self._waiting.append(pending)
        self._dispatch()
        return await pending.outcome

    def _new_worker(self) -> Worker:
        return Worker(self._start, self._on_reply, self._on_output)

    def _dispatch(self) -> None:
        """Send waiting calls to the workers that hold the fewest, as long as there is room."""
        waiting = self._waiting
        depth = self._depth()
        while waiting:
            worker = min(self._workers, key=lambda worker: len(worker.held), default=None)
            if worker is None or len(worker.held) >= depth:
                return
            worker.send(waiting.popleft())

    def _depth(self) -> int:
        """Return how many calls may be in a worker's pipe.

        One, when a call takes long: then the queue here stays exact. More, when calls are so short that a
        worker would wait for the next one longer than it works.
        """
        return max(1, min(_DEEPEST, int(_LONG_CALL_S / self._service_s)))

    def _on_reply(self, seconds: float) -> None:
        self._service_s += _RECENT * (max(seconds, 1e-6) - self._service_s)
        self._dispatch()

    async def _keep(self, worker: Worker) -> None:
        """Use the worker, and when it ends another, for ever."""
        try:
            while True:
                self._cause = None
                self._workers.append(worker)
                self._dispatch()
                reason = await worker.wait()
                self._workers.remove(worker)
                await self._bury(worker, reason)
                worker = await self._replacement()
        finally:
            await worker.stop()

    async def _bury(self, worker: Worker, reason: str) -> None:
        _log.warning("A worker of %s %s; starting another", self._start.name, reason)
        running, not_begun = worker.lost_calls()
        if running and not running.outcome.done():
            message = f"The worker that ran this prediction {reason}. Other predictions are not affected."
            running.outcome.set_result(Failed(500, message))
        self._waiting.extendleft(reversed(not_begun))
        self._dispatch()
        await worker.stop()

    async def _replacement(self) -> Worker:
        """Start a worker, again and again with growing pauses until one is warm."""
        delay_s = _FIRST_DELAY_S
        while True:
            worker = self._new_worker()
            try:
                await worker.start()
            except ModelUnavailable as error:
                _log.warning("%s Trying again in %g s.", error, delay_s)
                self._note_cause(error.message)
            except asyncio.CancelledError:
                await worker.stop()
                raise
            else:
                return worker
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)

    def _note_cause(self, cause: str) -> None:
        """Remember why there is no worker, and tell those who wait for one."""
        if not any(worker.state is State.READY for worker in self._workers):
            self._cause = cause
            self._fail_waiting(cause)

    def _fail_waiting(self, message: str) -> None:
        while self._waiting:
            pending = self._waiting.popleft()
            if not pending.outcome.done():
                pending.outcome.set_result(Failed(503, message))
