"""A model's workers and the queue before them.

It must not know HTTP nor fields.
"""

import asyncio
import functools
from collections.abc import Callable
from typing import NamedTuple, Self

from deepaas.errors import ModelUnavailable, WorkerInterrupted
from deepaas.files import Scratch, remove_folder_of
from deepaas.log import get_logger
from deepaas.messages import Body, Chunk, Failed, Reply, Start
from deepaas.metrics import PoolMetrics
from deepaas.workers.limits import Limits
from deepaas.workers.local import LocalProcess
from deepaas.workers.losses import to_be_run_again
from deepaas.workers.pace import Pace
from deepaas.workers.pending import Pending
from deepaas.workers.places import Places
from deepaas.workers.process import MakeProcess
from deepaas.workers.scaling import Scaling
from deepaas.workers.slot import PATIENCE_S, Hooks, on_its_own
from deepaas.workers.stream import Stream
from deepaas.workers.waiting import Waiting
from deepaas.workers.watch import Watch
from deepaas.workers.worker import Worker

_FULL = "{} predictions are waiting already (--max-queue). Try again later."
_log = get_logger(__name__)


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
        self._places = Places(self._new_worker, hooks, limits.scale.least)
        self._waiting = Waiting(limits.most_together, limits.patience_s)
        self._alarm: asyncio.TimerHandle | None = None
        self._pace = Pace(limits.most_together)
        self._failure: ModelUnavailable | None = None
        self._pause: ModelUnavailable | None = None
        self._is_over = False
        self._last_end = 0.0
        self._changing = asyncio.Lock()
        self._scaling = Scaling(self._places, self._waiting, self._pace, limits, metrics)
        self._watch = Watch(
            self._places.workers, self._put_back, self._scaling.look, limits.predict_timeout_s
        )
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._places.fill()
        self._watching = on_its_own(self._watch.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watching:
            self._watching.cancel()
        self._is_over = True
        self._pause = ModelUnavailable("The server is stopping.")
        async with self._scaling.held():
            await self._places.empty()
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
        if not any(worker.is_running() for worker in self._places.ready()):
            return f"No worker of '{self._start.name}' is running."
        if len(self._waiting) >= self._limits.max_queue:
            return _FULL.format(len(self._waiting))
        return None

    def state(self) -> PoolState:
        """Return how the pool stands."""
        now = asyncio.get_running_loop().time()
        ready = self._places.ready()
        busy = sum(1 for worker in ready if worker.held)
        return PoolState(
            waiting=len(self._waiting),
            oldest_s=self._waiting.oldest_s(now),
            busy=busy,
            idle=len(ready) - busy,
            starting=len(self._places) - len(ready),
        )

    async def reload(self) -> int:
        """Replace the workers one by one, each by one that is warm already; return how many there are.

        Raise `ModelUnavailable`, with the workers as they were, when the model cannot be started again.
        """
        async with self._changing, self._scaling.held():
            if self._pause:
                raise self._pause.with_traceback(None)
            try:
                await self._places.replace()
            except ModelUnavailable as error:
                if not self._places.ready():
                    raise
                raise ModelUnavailable(self._not_replaced(error)) from error
            _log.info("New workers of %r have taken over: %d", self._start.name, len(self._places))
            return len(self._places)

    async def pause(self, reason: ModelUnavailable) -> None:
        """Stop the workers, when they have answered what they hold; refuse calls with `reason`."""
        async with self._changing, self._scaling.held():
            self._pause = reason
            self._waiting.fail_all(reason)
            await asyncio.gather(*(worker.idle() for worker in self._places.workers()))
            await self._places.empty()

    async def resume(self) -> None:
        """Start as many workers as at first; take calls when they are warm."""
        async with self._changing:
            # A training may end only when the server does.
            if not self._is_over:
                self._pause = None
                self._places.keep()

    def _not_replaced(self, error: ModelUnavailable) -> str:
        """Say that an error is about new workers alone; by itself it says that the model cannot be used."""
        name = self._start.name
        cause = error.message.removeprefix(f"The model '{name}' cannot be used: ")
        return f"The workers of '{name}' go on as they are, because new ones cannot be started: {cause}"

    def _new_worker(self) -> Worker:
        process = self._make_process(self._on_output)
        hears = (self._on_reply, self._on_return, self._on_chunk)
        return Worker(self._start, process, *hears, start_limit_s=self._limits.start_timeout_s)

    def _dispatch(self) -> None:
        """Send waiting calls to the workers that hold the fewest, as long as there is room."""
        waiting = self._waiting
        if not waiting or self._pause:
            return
        ready = self._places.ready()
        depth = self._pace.depth
        while waiting:
            worker = min(ready, key=_load, default=None)
            if worker is None or len(worker.held) >= depth or (worker.is_stuck and worker.held):
                return
            if waiting.most_together > 1 and self._wait_for_more():
                return
            worker.send_together(waiting.take())
            self._watch.note_work()

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

    def _on_ready(self) -> None:
        self._failure = None
        self._dispatch()

    def _on_failure(self, cause: ModelUnavailable) -> None:
        """Remember why there is no worker, and tell those who wait for one."""
        empty_s = asyncio.get_running_loop().time() - self._last_end
        if self._places.ready() or (isinstance(cause, WorkerInterrupted) and empty_s < PATIENCE_S):
            return
        self._failure = cause
        self._waiting.fail_all(cause)

    def _on_reply(self, pending: Pending, reply: Reply) -> None:
        taken_s = reply.model_s + reply.render_s
        self._pace.note(reply)
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
        self._put_back(to_be_run_again(*worker.lost_calls(), reason))
        if not worker.was_told_to_end:
            self._metrics.note_restart(worker.killed_for or reason.rpartition(" ")[2])

    def _wait_s(self) -> float:
        """Return how long the calls that wait will take, as far as recent ones tell."""
        return max(1.0, self._pace.work_s(len(self._waiting)) / max(1, len(self._places.ready())))

    def _abandon(self, pending: Pending) -> None:
        """Drop a call whose caller has left; if it is running, that may cost its worker its life."""
        if pending.stream:
            pending.stream.close()
            return
        self._waiting.drop(pending)
        if self._limits.cancel_on_disconnect and pending.together == 1:
            for worker in self._places.workers():
                if worker.running() is pending:
                    worker.kill("disconnect")

    def _put_back(self, pendings: list[Pending]) -> None:
        """Let calls wait that were not begun, or are to be run again; a paused pool refuses them."""
        if self._pause:
            for pending in pendings:
                pending.fail(self._pause)
        self._waiting.put_back(pending for pending in pendings if not pending.outcome.done())
        self._dispatch()


def _load(worker: Worker) -> int:
    return len(worker.held)
