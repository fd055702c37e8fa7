"""Queue of pending calls, batching, retries of calls, and estimates of service time."""

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
    """Moving average of the time for which a call keeps its worker busy.

    `pipeline_depth` is the maximum number of calls in a worker's pipe: 1 for calls of 1 ms and more, so that
    they stay in the server's queue. Shorter calls are pipelined, since the worker would otherwise idle
    between them. With batching, it is always 1: a worker holds one batch.
    """

    def __init__(self, max_batch_size: int) -> None:
        self.pipeline_depth = 1
        self._max_pipeline_depth = _MAX_PIPELINE_DEPTH if max_batch_size == 1 else 1
        self._mean_service_s: float | None = None

    def allow_pipelining(self) -> None:
        """Allow several calls in a worker's pipe, since there are no batches."""
        self._max_pipeline_depth = _MAX_PIPELINE_DEPTH

    def record(self, reply: Reply) -> None:
        """Add a reply to the average; the calls of a batch share its model time."""
        share_s = max(reply.model_s / reply.batch_size + reply.render_s, _MIN_CALL_S)
        before_s = self._mean_service_s or share_s
        self._mean_service_s = service_s = before_s + _SMOOTHING_FACTOR * (share_s - before_s)
        self.pipeline_depth = max(1, min(self._max_pipeline_depth, int(_LONG_CALL_S / service_s)))

    def estimate_s(self, calls: int) -> float:
        """Return for how long `calls` calls would keep one worker busy; 0 before the first reply."""
        return calls * (self._mean_service_s or 0.0)


class PendingCall:
    """A call that has not been answered yet, queued or in flight.

    `scratch` holds its files. `timeout_s` limits its time in a worker; 0 is no limit. `enqueued_at` is loop
    time. `batch_size` is the size of the batch it was last sent in. With `retry_alone`, it had been started
    on a worker that exited, and is not batched again. `stream` is set on the first chunk of a stream.
    """

    __slots__ = (
        "batch_size",
        "enqueued_at",
        "future",
        "payload",
        "retry_alone",
        "scratch",
        "stream",
        "timeout_s",
        "worker_deaths",
    )

    def __init__(
        self,
        payload: bytes,
        future: asyncio.Future[Body | Failure | ResultStream],
        enqueued_at: float,
        scratch: ScratchFolder | None = None,
        timeout_s: float = 0.0,
    ) -> None:
        self.payload = payload
        self.timeout_s = timeout_s
        self.future = future
        self.enqueued_at = enqueued_at
        self.scratch = scratch
        self.worker_deaths = 0
        self.batch_size = 1
        self.retry_alone = False
        self.stream: ResultStream | None = None

    def start_stream(self, stream: ResultStream) -> None:
        """Set a stream as the call's result."""
        self.stream = stream
        self.future.set_result(stream)

    def fail(self, error: Exception) -> None:
        """Fail the call or its stream, unless it has finished."""
        if self.stream:
            self.stream.fail(error)
        elif not self.future.done():
            self.future.set_exception(error)


class CallQueue:
    """FIFO queue of calls, taken in batches of up to `max_batch_size`.

    The first call waits up to `batch_timeout_s` for a full batch.
    """

    def __init__(self, max_batch_size: int, batch_timeout_s: float) -> None:
        self.max_batch_size = max_batch_size
        self._batch_timeout_s = batch_timeout_s
        self._calls: collections.deque[PendingCall] = collections.deque()

    def __len__(self) -> int:
        return len(self._calls)

    def push(self, pending: PendingCall) -> None:
        """Append a call."""
        self._calls.append(pending)

    def push_front(self, calls: Iterable[PendingCall]) -> None:
        """Put calls back at the front, in their order."""
        self._calls.extendleft(reversed(list(calls)))

    def discard(self, pending: PendingCall) -> None:
        """Remove a call if it is still queued."""
        with contextlib.suppress(ValueError):
            self._calls.remove(pending)

    def fail_all(self, cause: Exception) -> None:
        """Remove and fail all calls."""
        while self._calls:
            self._calls.popleft().fail(cause)

    def oldest_wait_s(self, now_s: float) -> float:
        """Return for how long the first call has been queued; 0 if the queue is empty."""
        return now_s - self._calls[0].enqueued_at if self._calls else 0.0

    def batch_timeout_left_s(self, now_s: float) -> float:
        """Return how much longer the first call should wait for a full batch; not positive if not at all."""
        if len(self._calls) >= self.max_batch_size or self._calls[0].retry_alone:
            return 0.0
        return self._batch_timeout_s - self.oldest_wait_s(now_s)

    def pop_batch(self) -> list[PendingCall]:
        """Remove and return the next batch; empty if all queued calls were finished, such as cancelled."""
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
    """Fail the call that the dead worker was running; return the calls to retry.

    These are unstarted calls and started batches, except calls that have lost too many workers. `reason`
    describes the worker's exit.
    """
    lost = WorkerDied(f"The worker that ran this prediction {reason}. Other predictions are not affected.")
    return [
        *(pending for pending in started if _can_retry(pending, lost, was_started=True)),
        *(pending for pending in unstarted if _can_retry(pending, lost, was_started=False)),
    ]


def _can_retry(pending: PendingCall, error: WorkerDied, *, was_started: bool) -> bool:
    """Return whether a call may be retried; fail it if not."""
    pending.worker_deaths += 1
    # Any call of the batch may have caused the exit: each is retried individually.
    pending.retry_alone = pending.retry_alone or was_started
    is_to_blame = was_started and (pending.batch_size == 1 or pending.stream is not None)
    if is_to_blame or pending.worker_deaths > _MAX_WORKER_DEATHS:
        pending.fail(error)
        return False
    return True
