"""The server's handle of one worker process: its state, its calls in flight, its exit."""

import asyncio
import contextvars
import enum
import itertools
import signal
from collections.abc import Callable, Sequence
from typing import Any

from deepaas.errors import ModelUnavailable, WorkerKilledDuringStart
from deepaas.log import get_logger
from deepaas.messages import BatchHeader, Chunk, Failure, Loading, Ready, Reply, Revoked, WorkerConfig, encode
from deepaas.processes import describe_exit
from deepaas.workers.call_queue import PendingCall
from deepaas.workers.process import ExitStatus, WorkerProcess

_DISCONNECT_KILL_DELAY_S = 0.5
_STOP_GRACE_S = 2.0
_SPAWN_FAILED = "The model '{}' cannot be used: the system refuses to start a process for it ({})."
_START_TIMED_OUT = (
    "The model '{}' cannot be used: its {} was not ready after {:g} s (--worker-start-timeout)."
)
_EXTERNAL_KILL_CODES = (-signal.SIGKILL, -signal.SIGTERM, None)
_log = get_logger(__name__)


class WorkerRole(enum.Enum):
    """What the process does: predict, or describe the model. A pool of describers has one."""

    WORKER = "worker"
    DESCRIBER = "describer"


class WorkerState(enum.Enum):
    """States of a worker, in order. The pool sends calls only to workers that are `READY`."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "leaving"
    STOPPED = "gone"


class Worker:
    """A process that runs calls of one model.

    `number` identifies it in the log. `in_flight` maps call numbers to the calls sent but not answered, in
    the order of sending. `head_started_at` is the loop time at which the first of them became the first,
    `idle_since` the one at which none was left. `is_stalled` is set when calls were revoked because the first
    one takes long; the next reply resets it.

    `on_reply` receives a call and its reply, `on_revoked` a call that the worker skipped, `on_chunk` the
    worker, a call's number and a chunk of its result. `start_timeout_s` limits the start; 0 is no limit.
    """

    def __init__(
        self,
        config: WorkerConfig,
        process: WorkerProcess,
        on_reply: Callable[[PendingCall, Reply], None],
        on_revoked: Callable[[PendingCall], None],
        on_chunk: Callable[["Worker", int, Chunk], None],
        *,
        number: int = 1,
        role: WorkerRole = WorkerRole.WORKER,
        start_timeout_s: float = 0.0,
    ) -> None:
        self.number = number
        self._role = role
        self.state = WorkerState.STARTING
        self.in_flight: dict[int, PendingCall] = {}
        self.head_started_at = 0.0
        self.idle_since = 0.0
        self.is_stalled = False
        self.kill_reason: str | None = None
        self.stop_requested = False
        self._is_loading_model = False
        self._config = config
        self._process = process
        self._on_reply = on_reply
        self._on_revoked = on_revoked
        self._on_chunk = on_chunk
        self._start_timeout_s = start_timeout_s
        self._call_numbers = itertools.count(1)
        self._last_number = 0
        self._loop = asyncio.get_running_loop()
        self._start_outcome: asyncio.Future[Ready | Failure] = self._loop.create_future()
        self._idle = asyncio.Event()
        self._idle.set()
        self._retirement: asyncio.Task[None] | None = None

    def __str__(self) -> str:
        number = f" {self.number}" if self._role is WorkerRole.WORKER else ""
        return f"{self._role.value.title()}{number} of {self._config.name!r} (pid {self.pid})"

    @property
    def pid(self) -> int | None:
        """The process's id, once it has one."""
        return self._process.pid

    async def start(self) -> None:
        """Start the process and wait until the model is warm.

        Raise `ModelUnavailable` when the process cannot be spawned, exits or takes too long, or when the
        model fails. Raise `WorkerKilledDuringStart` when the process was killed
        before it started to load the model.
        """
        assert self.state is WorkerState.STARTING
        try:
            await self._process.start(self._config, self)
        except OSError as error:
            await self.stop()
            raise ModelUnavailable(_SPAWN_FAILED.format(self._config.name, error)) from error
        exited = asyncio.create_task(self._process.wait())
        first: set[asyncio.Future[Any]] = {self._start_outcome, exited}
        try:
            limit_s = self._start_timeout_s or None
            done, _ = await asyncio.wait(first, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            exited.cancel()
        answer = self._start_outcome.result() if self._start_outcome.done() else None
        if isinstance(answer, Ready):
            self.state = WorkerState.READY
            self.idle_since = self._loop.time()
            return
        if not done:
            self.kill("timeout")
            raise ModelUnavailable(
                _START_TIMED_OUT.format(self._config.name, self._role.value, self._start_timeout_s)
            )
        raise self._create_start_error(answer, await self.stop())

    def send(self, pending: PendingCall) -> None:
        """Send a call; the worker must be `READY`."""
        assert self.state is WorkerState.READY
        if not self.in_flight:
            self.head_started_at = self._loop.time()
            self._idle.clear()
        self._last_number = number = next(self._call_numbers)
        self.in_flight[number] = pending
        self._process.send(pending.payload, number, pending.scratch)

    def send_batch(self, calls: Sequence[PendingCall]) -> None:
        """Send calls to run as one batch."""
        if len(calls) > 1:
            self._process.send(encode(BatchHeader(len(calls))))
        for pending in calls:
            pending.batch_size = len(calls)
            self.send(pending)

    def get_current_call(self) -> PendingCall | None:
        """Return the call that the worker started last, or else the first in flight."""
        return self.in_flight.get(self._process.last_started) or next(iter(self.in_flight.values()), None)

    async def revoke_unstarted(self) -> list[PendingCall]:
        """Revoke the calls that the worker has not started, and return them."""
        if len(self.in_flight) < 2:  # noqa: PLR2004 - one running, one queued behind it
            return []
        self.is_stalled = True
        last = self._last_number
        started = await self._process.revoke_up_to(last)
        if started is None or self.state is WorkerState.STOPPED:
            return []
        started = max(started, next(iter(self.in_flight), 0))
        taken = [number for number in self.in_flight if started < number <= last]
        return [self.in_flight.pop(number) for number in taken]

    async def wait(self) -> str:
        """Wait until the process has exited and its messages are read; return how it exited, as text."""
        exited = await self._process.wait()
        self.state = WorkerState.STOPPED
        await self._process.drain_output()
        return f"was killed ({self.kill_reason})" if self.kill_reason else _format_exit_status(exited)

    def pause(self) -> None:
        """Stop reading from the worker; it blocks once the pipe is full."""
        self._process.pause()

    def resume(self) -> None:
        """Continue reading from the worker."""
        self._process.resume()

    def cancel_stream(self, number: int) -> None:
        """Make the worker end a streaming call after its next chunk."""
        self._process.cancel_stream(number)

    def retire(self) -> None:
        """Accept no more calls, finish those in flight, then stop the process; returns immediately."""
        if self.state is WorkerState.READY:
            self.state = WorkerState.DRAINING
            # An empty context: log lines must not carry the id of the current request.
            self._retirement = asyncio.create_task(self._stop_when_idle(), context=contextvars.Context())

    async def wait_idle(self) -> None:
        """Wait until no call is in flight."""
        await self._idle.wait()

    def is_responsive(self) -> bool:
        """Return whether the process can run; false, for example, after SIGSTOP."""
        return self._process.is_responsive()

    def split_in_flight(self) -> tuple[list[PendingCall], list[PendingCall]]:
        """Take the started and the unstarted calls out of a worker that has exited, and return both lists.

        At most one call or batch was started, unless replies were lost because the model wrote into the pipe.
        """
        last = self._process.last_started
        started = [pending for number, pending in self.in_flight.items() if number <= last]
        unstarted = [pending for number, pending in self.in_flight.items() if number > last]
        self.in_flight.clear()
        self._idle.set()
        return started, unstarted

    def kill(self, reason: str) -> None:
        """Kill the process and its children; messages already sent are still read.

        `reason` goes to the log and the restart metric; the first one is kept.
        """
        self.kill_reason = self.kill_reason or reason
        self.state = WorkerState.STOPPED
        self._process.kill()

    async def stop(self) -> ExitStatus:
        """Terminate the process and return its exit status. Idempotent, also concurrently."""
        self.state = WorkerState.STOPPED
        if not self._process.has_exited:
            self.stop_requested = True
        # Calls still in flight have no caller any more: no grace for them.
        return await self._process.terminate(0 if self.in_flight else _STOP_GRACE_S)

    def close(self) -> None:
        """Release the resources of the exited process; `get_current_call` is unreliable afterwards."""
        self._process.close()

    def on_message(self, number: int, message: Any) -> None:
        """Handle a message of the process."""
        if isinstance(message, Reply | Revoked):
            self._complete_call(number, message)
        elif isinstance(message, Chunk):
            if number in self.in_flight:
                self._on_chunk(self, number, message)
        elif isinstance(message, Loading):
            self._is_loading_model = True
        elif not self._start_outcome.done():
            self._start_outcome.set_result(message)

    def on_protocol_error(self) -> None:
        """Kill a process whose pipe the model has written into: the rest of the stream cannot be decoded."""
        _log.exception("%s wrote into a pipe that is not its own; killing it", self)
        self.kill("wrote into a pipe that is not its own")
        self._process.close_connection()

    def on_disconnect(self) -> None:
        """Kill the process shortly after its pipe has closed, unless it exits by itself."""
        if self.state in (WorkerState.READY, WorkerState.DRAINING):
            self._loop.call_later(_DISCONNECT_KILL_DELAY_S, self._kill_if_alive)

    async def _stop_when_idle(self) -> None:
        await self.wait_idle()
        await self.stop()

    def _complete_call(self, number: int, message: Reply | Revoked) -> None:
        pending = self.in_flight.pop(number, None)
        self.is_stalled = False
        if self.in_flight:
            self.head_started_at = self._loop.time()
        else:
            self.idle_since = self._loop.time()
            self._idle.set()
        if pending is None:
            return
        if isinstance(message, Reply):
            self._on_reply(pending, message)
        else:
            self._on_revoked(pending)

    def _create_start_error(self, failed: Failure | None, exit_status: ExitStatus) -> ModelUnavailable:
        cannot = f"The model '{self._config.name}' cannot be used:"
        if failed:
            return ModelUnavailable(f"{cannot} {failed.message}", detail=failed.traceback)
        interrupted = exit_status.code in _EXTERNAL_KILL_CODES and not self._is_loading_model
        kind = WorkerKilledDuringStart if interrupted else ModelUnavailable
        return kind(f"{cannot} its {self._role.value} {_format_exit_status(exit_status)} while starting.")

    def _kill_if_alive(self) -> None:
        # Without its pipe, the process cannot reply to any call.
        if not self._process.has_exited and self.state is not WorkerState.STOPPED:
            self.kill("closed its pipe to the server")


def _format_exit_status(exit_status: ExitStatus) -> str:
    return exit_status.reason if exit_status.code is None else describe_exit(exit_status.code)
