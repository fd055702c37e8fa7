"""A model's pool of workers: queues calls, dispatches them to workers, retries calls of dead workers."""

import asyncio
import contextvars
import functools
from collections.abc import Callable
from typing import NamedTuple, Self

from deepaas.errors import (
    DeepaasError,
    InvalidArguments,
    InvalidJson,
    ModelUnavailable,
    PredictionFailed,
)
from deepaas.log import get_logger
from deepaas.messages import Body, Chunk, Failure, Reply, WorkerConfig
from deepaas.metrics import PoolMetrics
from deepaas.scratch import ScratchFolder, remove_parent_folder
from deepaas.workers.autoscaler import Autoscaler
from deepaas.workers.call_monitor import CallMonitor
from deepaas.workers.call_queue import (
    CallQueue,
    PendingCall,
    ServiceTimeEstimate,
    select_calls_to_retry,
)
from deepaas.workers.local_process import LocalWorkerProcess
from deepaas.workers.pool_config import PoolConfig
from deepaas.workers.process import ProcessFactory
from deepaas.workers.result_stream import ResultStream
from deepaas.workers.supervisor import SupervisorCallbacks, WorkerSupervisor
from deepaas.workers.worker import Worker, WorkerRole

_QUEUE_FULL = "{} predictions are already queued (--max-queue). Try again later."
_log = get_logger(__name__)


class PoolStats(NamedTuple):
    """Numbers of queued calls and of workers by state, and the age of the oldest queued call."""

    queued: int
    oldest_wait_s: float
    busy: int
    idle: int
    starting: int


def to_error(failure: Failure) -> DeepaasError:
    """Return the exception for a failed call."""
    if failure.validation_errors:
        return InvalidArguments(failure.validation_errors)
    if failure.validation_errors is not None:
        return InvalidJson(failure.message)
    return PredictionFailed(failure.message, status=failure.status, detail=failure.traceback)


class Pool:
    """The workers of one model.

    Use it as an asynchronous context manager around `start`: leaving stops the workers.
    """

    def __init__(
        self,
        worker_config: WorkerConfig,
        config: PoolConfig,
        metrics: PoolMetrics,
        on_output: Callable[[bytes], None] | None = None,
        create_process: ProcessFactory = LocalWorkerProcess,
        *,
        role: WorkerRole = WorkerRole.WORKER,
    ) -> None:
        self._worker_config = worker_config
        self._config = config
        self._metrics = metrics
        self._on_output = on_output
        self._create_process = create_process
        self._role = role
        callbacks = SupervisorCallbacks(self._on_worker_ready, self._on_start_failure, self._on_worker_exit)
        self._supervisor = WorkerSupervisor(self._create_worker, callbacks)
        self._queue = CallQueue(config.max_batch_size, config.batch_timeout_s)
        self._batch_timer: asyncio.TimerHandle | None = None
        self._service_time = ServiceTimeEstimate(config.max_batch_size)
        self._start_failure: ModelUnavailable | None = None
        self._pause_reason: ModelUnavailable | None = None
        self._ready = asyncio.Event()
        self._is_started = False
        self._is_closed = False
        self._lifecycle_lock = asyncio.Lock()
        self._autoscaler = Autoscaler(
            self._supervisor,
            self._queue,
            self._service_time,
            config,
            metrics,
            model_name=worker_config.name,
        )
        self._monitor = CallMonitor(self._supervisor.list_workers, self._requeue, self._autoscaler.evaluate)
        self._monitor_task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._monitor_task = asyncio.create_task(self._monitor.run(), context=contextvars.Context())
        self._monitor_task.add_done_callback(_log_failure)
        return self

    async def start(self) -> None:
        """Start and warm the workers; those of a paused pool start when it resumes.

        Raise `ModelUnavailable` when one cannot be started; it is tried again in the background.
        """
        async with self._lifecycle_lock:
            self._is_started = True
            if self._pause_reason:
                return
            try:
                await self._supervisor.start(self._config.workers.min)
            except ModelUnavailable as error:
                if not self._is_closed:
                    self._on_start_failure(error)
                    self._supervisor.scale(self._config.workers.min)
                raise

    async def stop(self) -> None:
        """Stop the workers; `start` starts them again."""
        async with self._lifecycle_lock:
            self._is_started = False
            await self._supervisor.stop()

    async def wait_ready(self) -> None:
        """Wait until a worker accepts calls."""
        await self._ready.wait()

    def disable_batches(self) -> None:
        """Send calls one by one from now on: the model has no `predict_batch`."""
        self._queue.max_batch_size = 1
        self._service_time.allow_pipelining()

    async def __aexit__(self, *_: object) -> None:
        if self._monitor_task:
            self._monitor_task.cancel()
        self._is_closed = True
        self._pause_reason = ModelUnavailable("The server is stopping.")
        await self._supervisor.stop()
        self._queue.fail_all(self._pause_reason)

    async def predict(self, call: bytes, scratch: ScratchFolder) -> Body | ResultStream:
        """Run a call of `predict`, encoded by `encode_call`, and return its result.

        Raise `BadRequest`, `InvalidArguments`, `PredictionFailed`, or any error of `submit`.
        """
        outcome = await self.submit(call, scratch)
        if isinstance(outcome, Failure):
            raise to_error(outcome)
        if isinstance(outcome, Body) and outcome.path:
            scratch.files.append(outcome.path)
        return outcome

    async def submit(
        self, payload: bytes, scratch: ScratchFolder | None = None, timeout_s: float | None = None
    ) -> Body | Failure | ResultStream:
        """Queue an encoded call and return its outcome; a stream is returned on its first chunk.

        `scratch` holds the call's files. `timeout_s` limits the call, 0 is no limit; by default, the pool's
        limit applies. Raise `WorkerDied`, `PredictionTimeout`, or `ModelUnavailable` when
        the pool is paused, its workers cannot be started, or the queue is full.
        """
        refusal = self.get_refusal()
        if refusal:
            raise refusal.with_traceback(None)
        if len(self._queue) >= self._config.max_queue:
            raise ModelUnavailable(
                _QUEUE_FULL.format(len(self._queue)), retry_after_s=self._estimate_wait_s()
            )
        loop = asyncio.get_running_loop()
        limit_s = self._config.predict_timeout_s if timeout_s is None else timeout_s
        pending = PendingCall(payload, loop.create_future(), loop.time(), scratch, limit_s)
        self._queue.push(pending)
        self._dispatch()
        try:
            return await pending.future
        except asyncio.CancelledError:
            self._cancel(pending)
            raise

    def get_refusal(self) -> ModelUnavailable | None:
        """Return the error of all calls while the pool is paused, or its workers cannot be started."""
        return self._pause_reason or self._start_failure

    def unavailable_reason(self) -> str | None:
        """Return why the pool cannot accept calls now, or `None` if it can."""
        refusal = self.get_refusal()
        if refusal:
            return refusal.message
        if not any(worker.is_responsive() for worker in self._supervisor.list_ready_workers()):
            return f"No worker of '{self._worker_config.name}' is running."
        if len(self._queue) >= self._config.max_queue:
            return _QUEUE_FULL.format(len(self._queue))
        return None

    def stats(self) -> PoolStats:
        """Return the current numbers of queued calls and workers."""
        now = asyncio.get_running_loop().time()
        ready = self._supervisor.list_ready_workers()
        busy = sum(1 for worker in ready if worker.in_flight)
        return PoolStats(
            queued=len(self._queue),
            oldest_wait_s=self._queue.oldest_wait_s(now),
            busy=busy,
            idle=len(ready) - busy,
            starting=max(0, self._supervisor.desired - len(ready)),
        )

    async def reload(self) -> int:
        """Replace the workers one by one, each after its successor is warm; return their number.

        Raise `ModelUnavailable` when a new worker cannot be started; the remaining workers keep serving.
        """
        async with self._lifecycle_lock:
            if self._pause_reason:
                raise self._pause_reason.with_traceback(None)
            self._autoscaler.cancel_scale_up()
            try:
                if self._is_started:
                    await self._supervisor.reload()
                else:
                    self._is_started = True
                    await self._supervisor.start(self._config.workers.min)
            except ModelUnavailable as error:
                if not self._supervisor.list_ready_workers():
                    raise
                raise ModelUnavailable(self._format_reload_error(error), detail=error.detail) from error
            return self._supervisor.desired

    async def pause(self, reason: ModelUnavailable) -> None:
        """Refuse new and queued calls with `reason`, finish the calls in flight, then stop the workers."""
        async with self._lifecycle_lock:
            self._pause_reason = reason
            self._queue.fail_all(reason)
            await asyncio.gather(*(worker.wait_idle() for worker in self._supervisor.list_workers()))
            await self._supervisor.stop()

    async def resume(self) -> None:
        """Start the minimum number of workers in the background, and accept calls again."""
        async with self._lifecycle_lock:
            # An exclusive training may finish after the pool was closed.
            if not self._is_closed:
                self._pause_reason = None
            if not self._is_closed and self._is_started:
                self._supervisor.scale(self._config.workers.min)

    def _format_reload_error(self, error: ModelUnavailable) -> str:
        # The cause claims that the model cannot be used, but its current workers still serve it.
        name = self._worker_config.name
        cause = error.message.removeprefix(f"The model '{name}' cannot be used: ")
        return f"Reload failed; the current workers keep serving '{name}'. Cause: {cause}"

    def _create_worker(self, number: int) -> Worker:
        return Worker(
            self._worker_config,
            self._create_process(self._on_output),
            self._on_reply,
            self._on_call_revoked,
            self._on_chunk,
            number=number,
            role=self._role,
            start_timeout_s=self._config.start_timeout_s,
        )

    def _dispatch(self) -> None:
        """Send queued calls to the workers with the fewest calls in flight, up to the pipeline depth."""
        waiting = self._queue
        if not waiting or self._pause_reason:
            return
        ready = self._supervisor.list_ready_workers()
        depth = self._service_time.pipeline_depth
        while waiting:
            worker = min(ready, key=_count_in_flight, default=None)
            if worker is None or len(worker.in_flight) >= depth or (worker.is_stalled and worker.in_flight):
                return
            if waiting.max_batch_size > 1 and self._should_wait_for_batch():
                return
            worker.send_batch(waiting.pop_batch())
            self._monitor.wake()

    def _should_wait_for_batch(self) -> bool:
        """Return whether the first queued call should wait for a fuller batch; if so, schedule a dispatch."""
        loop = asyncio.get_running_loop()
        left_s = self._queue.batch_timeout_left_s(loop.time())
        if left_s > 0 and self._batch_timer is None:
            self._batch_timer = loop.call_later(left_s, self._on_batch_timer)
        return left_s > 0

    def _on_batch_timer(self) -> None:
        self._batch_timer = None
        self._dispatch()

    def _on_worker_ready(self) -> None:
        self._ready.set()
        self._start_failure = None
        self._dispatch()

    def _on_start_failure(self, cause: ModelUnavailable) -> None:
        """Fail the queued calls and refuse new ones, unless a worker is ready."""
        if not self._supervisor.list_ready_workers():
            self._start_failure = cause
            self._queue.fail_all(cause)

    def _on_reply(self, pending: PendingCall, reply: Reply) -> None:
        taken_s = reply.model_s + reply.render_s
        self._service_time.record(reply)
        if not pending.future.done():
            pending.future.set_result(reply.outcome)
            queue_s = asyncio.get_running_loop().time() - pending.enqueued_at - taken_s
            self._metrics.record_prediction(queue_s, reply.model_s, reply.render_s)
        elif pending.stream:
            pending.stream.finish(reply.outcome)
            self._metrics.record_prediction(pending.stream.queue_s, reply.model_s, reply.render_s)
        elif isinstance(reply.outcome, Body) and reply.outcome.path:
            remove_parent_folder(reply.outcome.path)
        self._dispatch()

    def _on_chunk(self, worker: Worker, number: int, chunk: Chunk) -> None:
        """Start or continue a call's stream; cancel it if its caller has disconnected."""
        pending = worker.in_flight[number]
        if not pending.future.done():
            waited_s = asyncio.get_running_loop().time() - pending.enqueued_at
            self._metrics.record_first_chunk(waited_s)
            on_left = functools.partial(self._on_reader_disconnect, worker, number, pending)
            pending.start_stream(ResultStream(chunk.media_type, waited_s - chunk.elapsed_s, worker, on_left))
        if pending.stream:
            pending.stream.feed(chunk.content)
        else:
            worker.cancel_stream(number)

    def _on_reader_disconnect(self, worker: Worker, number: int, pending: PendingCall) -> None:
        """Kill the worker of a disconnected client's call, if so configured; else cancel the stream."""
        is_running = pending.batch_size == 1 and worker.get_current_call() is pending
        if self._config.cancel_on_disconnect and is_running:
            worker.kill("disconnect")
        else:
            worker.cancel_stream(number)

    def _on_call_revoked(self, pending: PendingCall) -> None:
        self._requeue([pending])

    def _on_worker_exit(self, worker: Worker, reason: str) -> None:
        """Fail the call that the worker was running; requeue unstarted calls and started batches."""
        if not self._supervisor.list_ready_workers():
            self._ready.clear()
        self._requeue(select_calls_to_retry(*worker.split_in_flight(), reason))
        if not worker.stop_requested:
            self._metrics.record_restart(worker.kill_reason or reason.rpartition(" ")[2])

    def _estimate_wait_s(self) -> float:
        """Estimate from recent calls how long the queue takes to empty, in seconds, at least 1."""
        return max(
            1.0,
            self._service_time.estimate_s(len(self._queue))
            / max(1, len(self._supervisor.list_ready_workers())),
        )

    def _cancel(self, pending: PendingCall) -> None:
        """Drop a call whose caller was cancelled; with `cancel_on_disconnect`, kill the worker running it."""
        if pending.stream:
            pending.stream.close()
            return
        self._queue.discard(pending)
        if self._config.cancel_on_disconnect and pending.batch_size == 1:
            for worker in self._supervisor.list_workers():
                if worker.get_current_call() is pending:
                    worker.kill("disconnect")

    def _requeue(self, calls: list[PendingCall]) -> None:
        """Put calls back at the front of the queue; a paused pool fails them."""
        if self._pause_reason:
            for pending in calls:
                pending.fail(self._pause_reason)
        self._queue.push_front(pending for pending in calls if not pending.future.done())
        self._dispatch()


def _count_in_flight(worker: Worker) -> int:
    return len(worker.in_flight)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception():
        _log.error("The call monitor failed: calls have no time limit any more", exc_info=task.exception())
