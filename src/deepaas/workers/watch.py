"""Looks at workers while they hold calls: which stand behind a long one, which run for too long, who waits.

It must not know where calls come from.
"""

import asyncio
from collections.abc import Callable, Iterable

from deepaas.errors import PredictionTimedOut
from deepaas.workers.pending import Pending
from deepaas.workers.worker import State, Worker

_LOOK_S = 0.02
_STUCK_S = 0.01


class Watch:
    """Takes back calls that stand behind a long one, and ends those that run for too long.

    `workers` returns those to look at; `put_back` is called with the calls that others are to run. A call
    may run for `limit_s` seconds, 0 for any time. `on_look` is called after each look.
    """

    def __init__(
        self,
        workers: Callable[[], Iterable[Worker]],
        put_back: Callable[[list[Pending]], None],
        on_look: Callable[[], None],
        limit_s: float,
    ) -> None:
        self._workers = workers
        self._put_back = put_back
        self._on_look = on_look
        self._limit_s = limit_s
        self._active = asyncio.Event()

    def note_work(self) -> None:
        """See to it that somebody looks, for a worker was sent calls."""
        self._active.set()

    async def run(self) -> None:
        """Look again and again, as long as a worker holds calls."""
        while True:
            await self._active.wait()
            self._active.clear()
            await asyncio.sleep(_LOOK_S)
            for worker in self._workers():
                if worker.held and worker.state is not State.GONE:
                    self._active.set()
                    await self._look(worker)
            self._on_look()

    async def _look(self, worker: Worker) -> None:
        loop = asyncio.get_running_loop()
        if len(worker.held) > 1 and loop.time() - worker.head_since > _STUCK_S:
            self._put_back(await worker.take_back())
        if self._limit_s and worker.held and loop.time() - worker.head_since > self._limit_s:
            self._end_long_call(worker)

    def _end_long_call(self, worker: Worker) -> None:
        running = worker.running()
        if running and (running.together == 1 or running.stream):
            running.fail(PredictionTimedOut(f"The prediction took longer than {self._limit_s:g} s."))
        worker.kill("timeout")
