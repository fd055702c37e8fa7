"""The queue of calls that wait for a worker, which of them form a batch, and how long calls take."""

import asyncio
import collections
import contextlib
from collections.abc import Iterable

from deepaas.errors import WorkerDied
from deepaas.messages import Body, Failure, Reply
from deepaas.scratch import ScratchFolder
from deepaas.workers.result_stream import ResultStream

_LONG_CALL_S = 0.001
_MIN_CALL_S = 1e-6
_MAX_PIPELINE_DEPTH = 32
_SMOOTHING_FACTOR = 0.1
_MAX_WORKER_DEATHS = 5


class ServiceTimeEstimate:
    """The mean time for which a recent call kept its worker busy.

    `pipeline_depth` is how many calls may be in a worker's pipe. One, when a call takes long: then the queue
    in the server stays exact. More, when calls are so short that a worker would wait for the next one longer
    than it works. Those that may run together go all at once.
    """

    def __init__(self, max_batch_size: int) -> None:
        self.pipeline_depth = 1
        self._max_pipeline_depth = _MAX_PIPELINE_DEPTH if max_batch_size == 1 else 1
        self._mean_service_s: float | None = None

    def record(self, reply: Reply) -> None:
        """Take what a reply tells; calls that ran together share the time that they took."""
        share_s = max(reply.model_s / reply.batch_size + reply.render_s, _MIN_CALL_S)
        before_s = self._mean_service_s or share_s
        self._mean_service_s = service_s = before_s + _SMOOTHING_FACTOR * (share_s - before_s)
        self.pipeline_depth = max(1, min(self._max_pipeline_depth, int(_LONG_CALL_S / service_s)))

    def estimate_s(self, calls: int) -> float:
        """Return how long so many calls would keep one worker busy; 0 when that is not known yet."""
        return calls * (self._mean_service_s or 0.0)


class PendingCall:
    """A call that waits for its outcome.

    `scratch` holds its files. `enqueued_at` is when it came, in the loop's time. `batch_size` is how many
    calls, itself included, were sent to be run together; one that `retry_alone` was among them when something
    went wrong. `stream` is the outcome when that comes in chunks, from the first one on.
    """

    __slots__ = (
        "batch_size",
        "enqueued_at",
        "future",
        "payload",
        "retry_alone",
        "scratch",
        "stream",
        "worker_deaths",
    )

    def __init__(
        self,
        payload: bytes,
        future: asyncio.Future[Body | Failure | ResultStream],
        enqueued_at: float,
        scratch: ScratchFolder | None = None,
    ) -> None:
        self.payload = payload
        self.future = future
        self.enqueued_at = enqueued_at
        self.scratch = scratch
        self.worker_deaths = 0
        self.batch_size = 1
        self.retry_alone = False
        self.stream: ResultStream | None = None

    def start_stream(self, stream: ResultStream) -> None:
        """Give the call an outcome that is still coming."""
        self.stream = stream
        self.future.set_result(stream)

    def fail(self, error: Exception) -> None:
        """End the call with an error, unless it has ended."""
        if self.stream:
            self.stream.fail(error)
        elif not self.future.done():
            self.future.set_exception(error)


class CallQueue:
    """A queue of calls, of which up to `max_batch_size` leave it together, after up to `batch_timeout_s`."""

    def __init__(self, max_batch_size: int, batch_timeout_s: float) -> None:
        self.max_batch_size = max_batch_size
        self._batch_timeout_s = batch_timeout_s
        self._calls: collections.deque[PendingCall] = collections.deque()

    def __len__(self) -> int:
        return len(self._calls)

    def push(self, pending: PendingCall) -> None:
        """Put a call behind all others."""
        self._calls.append(pending)

    def push_front(self, calls: Iterable[PendingCall]) -> None:
        """Put calls that had left before all others, in their order."""
        self._calls.extendleft(reversed(list(calls)))

    def discard(self, pending: PendingCall) -> None:
        """Let a call go, if it is still here."""
        with contextlib.suppress(ValueError):
            self._calls.remove(pending)

    def fail_all(self, cause: Exception) -> None:
        """End every call with an error."""
        while self._calls:
            self._calls.popleft().fail(cause)

    def oldest_wait_s(self, now_s: float) -> float:
        """Return how long the first call has waited; 0 without one."""
        return now_s - self._calls[0].enqueued_at if self._calls else 0.0

    def batch_timeout_left_s(self, now_s: float) -> float:
        """Return how long the first call should wait for others to go with."""
        if len(self._calls) >= self.max_batch_size or self._calls[0].retry_alone:
            return 0.0
        return self._batch_timeout_s - self.oldest_wait_s(now_s)

    def pop_batch(self) -> list[PendingCall]:
        """Return the calls that go next, together; none when all that waited have ended already."""
        taken: list[PendingCall] = []
        while self._calls and len(taken) < self.max_batch_size:
            if taken and (self._calls[0].retry_alone or taken[0].retry_alone):
                break
            pending = self._calls.popleft()
            if not pending.future.done():
                taken.append(pending)
        return taken


def select_calls_to_retry(
    started: Iterable[PendingCall], unstarted: Iterable[PendingCall], reason: str
) -> list[PendingCall]:
    """Fail the call that a worker ended with, and return those that it had not begun, or not alone.

    `reason` says what became of the worker.
    """
    lost = WorkerDied(f"The worker that ran this prediction {reason}. Other predictions are not affected.")
    return [
        *(pending for pending in started if _can_retry(pending, lost, was_started=True)),
        *(pending for pending in unstarted if _can_retry(pending, lost, was_started=False)),
    ]


def _can_retry(pending: PendingCall, error: WorkerDied, *, was_started: bool) -> bool:
    """Say whether a call may be run again; fail it when it may not."""
    pending.worker_deaths += 1
    # Of some that ran together, nobody knows which one it was: each is run once more, alone.
    pending.retry_alone = pending.retry_alone or was_started
    is_to_blame = was_started and (pending.batch_size == 1 or pending.stream is not None)
    if is_to_blame or pending.worker_deaths > _MAX_WORKER_DEATHS:
        pending.fail(error)
        return False
    return True
