"""A model's workers and the queue before them.

It must not know HTTP nor fields.
"""

import asyncio
import functools
from collections.abc import Callable
from typing import NamedTuple, Self

from deepaas.errors import ModelUnavailable, PredictionTimedOut, WorkerInterrupted, WorkerLost
from deepaas.files import Scratch, remove_folder_of
from deepaas.messages import Body, Chunk, Failed, Reply, Start
from deepaas.metrics import PoolMetrics
from deepaas.workers.local import LocalProcess
from deepaas.workers.pending import Pending
from deepaas.workers.process import MakeProcess
from deepaas.workers.slot import PATIENCE_S, Hooks, Slot, on_its_own
from deepaas.workers.stream import Stream
from deepaas.workers.waiting import Waiting
from deepaas.workers.worker import State, Worker

_LONG_CALL_S = 0.001
_SHORTEST_CALL_S = 1e-6
_DEEPEST = 32
_RECENT = 0.1
_LOOK_S = 0.02
_STUCK_S = 0.01
_MOST_LOSSES = 5
_FULL = "{} predictions are waiting already (--max-queue). Try again later."


class Limits(NamedTuple):
    """What a pool allows itself.

    `most_together` calls may be run together, and wait `patience_s` for each other. `predict_timeout_s` is
    the longest that a call may run, 0 for any time; `max_queue` the most calls that wait. With
    `cancel_on_disconnect`, a worker whose caller has left is killed.
    """

    workers: int
    most_together: int
    patience_s: float
    predict_timeout_s: float
    max_queue: int
    cancel_on_disconnect: bool


class PoolState(NamedTuple):
    """How a pool stands: calls that wait and the age of the oldest, workers by what they do."""

    waiting: int
    oldest_s: float
    busy: int
    idle: int
    starting: int


class Pool:
    """The workers of one model.

    Use it as an asynchronous context manager: entering starts and warms the workers, leaving ends them.
    """

    def __init__(
        self,
        start: Start,
        limits: Limits,
        metrics: PoolMetrics,
        on_output: Callable[[bytes], None] | None = None,
        make_process: MakeProcess = LocalProcess,
    ) -> None:
        self._start = start
        self._limits = limits
        self._metrics = metrics
        self._on_output = on_output
        self._make_process = make_process
        hooks = Hooks(self._on_ready, self._on_failure, self._on_end)
        self._slots = [Slot(self._new_worker, hooks) for _ in range(limits.workers)]
        self._waiting = Waiting(limits.most_together, limits.patience_s)
        self._alarm: asyncio.TimerHandle | None = None
        self._service_s: float | None = None
        self._failure: ModelUnavailable | None = None
        self._pause: ModelUnavailable | None = None
        self._last_end = 0.0
        self._changing = asyncio.Lock()
        self._active = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        filled = await asyncio.gather(*(slot.fill() for slot in self._slots), return_exceptions=True)
        problem = next((result for result in filled if isinstance(result, BaseException)), None)
        if problem:
            await self._empty()
            raise problem
        self._watching = on_its_own(self._watch_time())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watching:
            self._watching.cancel()
        self._pause = ModelUnavailable("The server is stopping.")
        await self._empty()
        self._waiting.fail_all(self._pause)

    async def run(self, call: bytes, scratch: Scratch | None = None) -> Body | Failed | Stream:
        """Queue an encoded call and return what came of it; a stream, as soon as its first chunk is there.

        `scratch` holds the call's files.

        Raise `ModelUnavailable` when there is no worker and none could be started, or too many calls wait,
        `WorkerLost` or `PredictionTimedOut`.
        """
        refusal = self._pause or self._failure
        if refusal:
            raise refusal.with_traceback(None)
        if len(self._waiting) >= self._limits.max_queue:
            raise ModelUnavailable(_FULL.format(len(self._waiting)), retry_after_s=self._wait_s())
        loop = asyncio.get_running_loop()
        pending = Pending(call, loop.create_future(), loop.time(), scratch)
        self._waiting.add(pending)
        self._dispatch()
        try:
            return await pending.outcome
        except asyncio.CancelledError:
            self._abandon(pending)
            raise

    def problem(self) -> str | None:
        """Return why no call could be answered now, or nothing when one could."""
        refusal = self._pause or self._failure
        if refusal:
            return refusal.message
        if not any(worker.is_running() for worker in self._ready()):
            return f"No worker of '{self._start.name}' is running."
        if len(self._waiting) >= self._limits.max_queue:
            return _FULL.format(len(self._waiting))
        return None

    def state(self) -> PoolState:
        """Return how the pool stands."""
        now = asyncio.get_running_loop().time()
        ready = self._ready()
        busy = sum(1 for worker in ready if worker.held)
        return PoolState(
            waiting=len(self._waiting),
            oldest_s=self._waiting.oldest_s(now),
            busy=busy,
            idle=len(ready) - busy,
            starting=len(self._slots) - len(ready),
        )

    async def reload(self) -> int:
        """Replace the workers one by one, each by one that is warm already; return how many there are.

        Raise `ModelUnavailable`, with the workers as they were, when the model cannot be started again.
        """
        async with self._changing:
            if self._pause:
                raise self._pause.with_traceback(None)
            for slot in self._slots:
                await slot.replace()
            return len(self._slots)

    async def pause(self, reason: ModelUnavailable) -> None:
        """Stop the workers, when they have answered what they hold; refuse calls with `reason`."""
        async with self._changing:
            self._pause = reason
            self._waiting.fail_all(reason)
            await asyncio.gather(*(worker.idle() for worker in self._all_workers()))
            await self._empty()

    async def resume(self) -> None:
        """Start the workers that `pause` stopped; take calls when they are warm."""
        async with self._changing:
            self._pause = None
            for slot in self._slots:
                slot.keep()

    def _new_worker(self) -> Worker:
        process = self._make_process(self._on_output)
        return Worker(self._start, process, self._on_reply, self._on_return, self._on_chunk)

    async def _empty(self) -> None:
        await asyncio.gather(*(slot.empty() for slot in self._slots))

    def _ready(self) -> list[Worker]:
        """Return the workers to send calls to."""
        workers = [slot.worker for slot in self._slots]
        return [worker for worker in workers if worker is not None and worker.state is State.READY]

    def _all_workers(self) -> list[Worker]:
        """Return the workers that may hold calls, those that are leaving too."""
        return [worker for slot in self._slots for worker in slot.workers]

    def _dispatch(self) -> None:
        """Send waiting calls to the workers that hold the fewest, as long as there is room."""
        waiting = self._waiting
        if not waiting or self._pause:
            return
        ready = self._ready()
        depth = self._depth()
        while waiting:
            worker = min(ready, key=_load, default=None)
            if worker is None or len(worker.held) >= depth or (worker.is_stuck and worker.held):
                return
            if waiting.most_together > 1 and self._wait_for_more():
                return
            worker.send_together(waiting.take())
            self._active.set()

    def _wait_for_more(self) -> bool:
        """Say whether the first call should wait for others to go with; come back when it has."""
        loop = asyncio.get_running_loop()
        left_s = self._waiting.left_s(loop.time())
        if left_s > 0 and self._alarm is None:
            self._alarm = loop.call_later(left_s, self._on_alarm)
        return left_s > 0

    def _on_alarm(self) -> None:
        self._alarm = None
        self._dispatch()

    def _depth(self) -> int:
        """Return how many calls may be in a worker's pipe.

        One, when a call takes long: then the queue here stays exact. More, when calls are so short that a
        worker would wait for the next one longer than it works. Those that may run together go all at once.
        """
        if self._waiting.most_together > 1:
            return 1
        return max(1, min(_DEEPEST, int(_LONG_CALL_S / (self._service_s or _LONG_CALL_S))))

    def _on_ready(self) -> None:
        self._failure = None
        self._dispatch()

    def _on_failure(self, cause: ModelUnavailable) -> None:
        """Remember why there is no worker, and tell those who wait for one."""
        empty_s = asyncio.get_running_loop().time() - self._last_end
        if self._ready() or (isinstance(cause, WorkerInterrupted) and empty_s < PATIENCE_S):
            return
        self._failure = cause
        self._waiting.fail_all(cause)

    def _on_reply(self, pending: Pending, reply: Reply) -> None:
        taken_s = reply.model_s + reply.render_s
        share_s = max(reply.model_s / pending.together + reply.render_s, _SHORTEST_CALL_S)
        before_s = self._service_s or share_s
        self._service_s = before_s + _RECENT * (share_s - before_s)
        if not pending.outcome.done():
            pending.outcome.set_result(reply.outcome)
            queue_s = asyncio.get_running_loop().time() - pending.since - taken_s
            self._metrics.note_answer(queue_s, reply.model_s, reply.render_s)
        elif pending.stream:
            pending.stream.end(reply.outcome)
            self._metrics.note_answer(pending.stream.queue_s, reply.model_s, reply.render_s)
        elif isinstance(reply.outcome, Body) and reply.outcome.path:
            remove_folder_of(reply.outcome.path)
        self._dispatch()

    def _on_chunk(self, worker: Worker, number: int, chunk: Chunk) -> None:
        """Begin the stream that a call's outcome is, or go on with it; end what nobody waits for."""
        pending = worker.held[number]
        if not pending.outcome.done():
            waited_s = asyncio.get_running_loop().time() - pending.since
            self._metrics.note_first_chunk(waited_s)
            on_left = functools.partial(self._on_left, worker, number, pending)
            pending.begin(Stream(chunk.media_type, waited_s - chunk.taken_s, worker, on_left))
        if pending.stream:
            pending.stream.add(chunk.content)
        else:
            worker.give_up(number)

    def _on_left(self, worker: Worker, number: int, pending: Pending) -> None:
        """End a call whose stream nobody reads any more."""
        is_running = pending.together == 1 and worker.running() is pending
        if self._limits.cancel_on_disconnect and is_running:
            worker.kill("disconnect")
        else:
            worker.give_up(number)

    def _on_return(self, pending: Pending) -> None:
        self._put_back([pending])

    def _on_end(self, worker: Worker, reason: str) -> None:
        """Fail the call that a worker took with it; give others those that it had not begun, or not alone."""
        self._last_end = asyncio.get_running_loop().time()
        begun, not_begun = worker.lost_calls()
        lost = WorkerLost(
            f"The worker that ran this prediction {reason}. Other predictions are not affected."
        )
        back = []
        for pending in begun + not_begun:
            pending.losses += 1
            # Of some that ran together, nobody knows which one it was: each is run once more, alone.
            pending.goes_alone = pending.goes_alone or pending in begun
            is_to_blame = pending in begun and (pending.together == 1 or pending.stream is not None)
            if is_to_blame or pending.losses > _MOST_LOSSES:
                pending.fail(lost)
            else:
                back.append(pending)
        self._put_back(back)
        if not worker.was_told_to_end:
            self._metrics.note_restart(worker.killed_for or reason.rpartition(" ")[2])

    def _wait_s(self) -> float:
        """Return how long the calls that wait will take, as far as recent ones tell."""
        return max(1.0, len(self._waiting) * (self._service_s or 0.0) / self._limits.workers)

    def _abandon(self, pending: Pending) -> None:
        """Drop a call whose caller has left; if it is running, that may cost its worker its life."""
        if pending.stream:
            pending.stream.close()
            return
        self._waiting.drop(pending)
        if self._limits.cancel_on_disconnect and pending.together == 1:
            for worker in self._all_workers():
                if worker.running() is pending:
                    worker.kill("disconnect")

    async def _watch_time(self) -> None:
        """Take back calls that stand behind a long one, and end those that run for too long."""
        limit_s = self._limits.predict_timeout_s
        loop = asyncio.get_running_loop()
        while True:
            await self._active.wait()
            self._active.clear()
            await asyncio.sleep(_LOOK_S)
            for worker in self._all_workers():
                if not worker.held or worker.state is State.GONE:
                    continue
                self._active.set()
                if len(worker.held) > 1 and loop.time() - worker.head_since > _STUCK_S:
                    await self._relieve(worker)
                if limit_s and worker.held and loop.time() - worker.head_since > limit_s:
                    self._end_long_call(worker)

    async def _relieve(self, worker: Worker) -> None:
        """Give the calls behind a long one to other workers, or back to the queue."""
        self._put_back(await worker.take_back())

    def _put_back(self, pendings: list[Pending]) -> None:
        """Let calls wait that were not begun, or are to be run again; a paused pool refuses them."""
        if self._pause:
            for pending in pendings:
                pending.fail(self._pause)
        self._waiting.put_back(pending for pending in pendings if not pending.outcome.done())
        self._dispatch()

    def _end_long_call(self, worker: Worker) -> None:
        running = worker.running()
        if running and (running.together == 1 or running.stream):
            limit_s = self._limits.predict_timeout_s
            running.fail(PredictionTimedOut(f"The prediction took longer than {limit_s:g} s."))
        worker.kill("timeout")


def _load(worker: Worker) -> int:
    return len(worker.held)
