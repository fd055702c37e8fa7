"""One worker as the server sees it: the calls it holds, its state, its exit."""

import asyncio
import enum
import itertools
import signal
from collections.abc import Callable, Sequence
from typing import Any

from deepaas.errors import ModelUnavailable, WorkerKilledDuringStart
from deepaas.log import get_logger, traceback_extra
from deepaas.messages import BatchHeader, Chunk, Failure, Loading, Ready, Reply, Revoked, WorkerConfig, encode
from deepaas.processes import describe_exit
from deepaas.workers.call_queue import PendingCall
from deepaas.workers.process import ExitStatus, WorkerProcess

_DISCONNECT_KILL_DELAY_S = 0.5
_STOP_GRACE_S = 2.0
_SPAWN_FAILED = "The model '{}' cannot be used: the system refuses to start a process for it ({})."
_START_TIMED_OUT = (
    "The model '{}' cannot be used: its worker was not ready after {:g} s (--worker-start-timeout)."
)
_EXTERNAL_KILL_CODES = (-signal.SIGKILL, -signal.SIGTERM, None)
_log = get_logger(__name__)


class WorkerState(enum.Enum):
    """The life of a worker, in order. Only one that is `READY` is sent calls."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "leaving"
    STOPPED = "gone"


class Worker:
    """A process that holds a warmed model.

    `in_flight` are the calls in its pipe that it has not answered, by their number there and in that order.
    `head_started_at` is when the first of them came first. `is_stalled` says that some were taken back
    because the first takes long; it is over with the next reply. `on_reply` is called with a call and its
    reply, `on_revoked` with a call that the worker did not begin, `on_chunk` with the worker, the number of a
    call it holds, and a part of its result. Its process may take `start_timeout_s` seconds to be warm, 0 for
    any time.
    """

    def __init__(
        self,
        config: WorkerConfig,
        process: WorkerProcess,
        on_reply: Callable[[PendingCall, Reply], None],
        on_revoked: Callable[[PendingCall], None],
        on_chunk: Callable[["Worker", int, Chunk], None],
        *,
        start_timeout_s: float = 0.0,
    ) -> None:
        self.state = WorkerState.STARTING
        self.in_flight: dict[int, PendingCall] = {}
        self.head_started_at = 0.0
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

    @property
    def pid(self) -> int | None:
        """The process's id, once it has one."""
        return self._process.pid

    async def start(self) -> None:
        """Start the process and wait until it is warm.

        Raise `ModelUnavailable`, with the cause, when the model fails, takes too long, or the process ends
        before that; a failed model's traceback is in the log then. `WorkerKilledDuringStart` says that the
        model had no part in it.
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
            return
        if not done:
            self.kill("timeout")
            raise ModelUnavailable(_START_TIMED_OUT.format(self._config.name, self._start_timeout_s))
        raise self._create_start_error(answer, await self.stop())

    def send(self, pending: PendingCall) -> None:
        """Send a call."""
        assert self.state is WorkerState.READY
        if not self.in_flight:
            self.head_started_at = self._loop.time()
            self._idle.clear()
        self._last_number = number = next(self._call_numbers)
        self.in_flight[number] = pending
        self._process.send(pending.payload, number, pending.scratch)

    def send_batch(self, calls: Sequence[PendingCall]) -> None:
        """Send calls that are to be run together."""
        if len(calls) > 1:
            self._process.send(encode(BatchHeader(len(calls))))
        for pending in calls:
            pending.batch_size = len(calls)
            self.send(pending)

    def get_current_call(self) -> PendingCall | None:
        """Return the call that the worker runs, or is about to."""
        return self.in_flight.get(self._process.last_started) or next(iter(self.in_flight.values()), None)

    async def revoke_unstarted(self) -> list[PendingCall]:
        """Return the calls in the pipe that the worker has not begun; it will not begin them any more."""
        if len(self.in_flight) < 2:  # noqa: PLR2004 - one that runs, one behind it
            return []
        self.is_stalled = True
        last = self._last_number
        begun = await self._process.revoke_up_to(last)
        if begun is None or self.state is WorkerState.STOPPED:
            return []
        begun = max(begun, next(iter(self.in_flight), 0))
        taken = [number for number in self.in_flight if begun < number <= last]
        return [self.in_flight.pop(number) for number in taken]

    async def wait(self) -> str:
        """Wait until the process has ended and everything it said has been read; return what became of it."""
        exited = await self._process.wait()
        self.state = WorkerState.STOPPED
        await self._process.drain_output()
        reason = f"was killed ({self.kill_reason})" if self.kill_reason else _format_exit_status(exited)
        if not self.stop_requested:
            _log.warning("A worker of %s %s", self._config.name, reason)
        return reason

    def pause(self) -> None:
        """Read nothing from the worker for now, which then waits with what it has to say."""
        self._process.pause()

    def resume(self) -> None:
        """Read again what the worker says."""
        self._process.resume()

    def cancel_stream(self, number: int) -> None:
        """Let the worker end a call whose result comes in chunks, as soon as it has sent the next one."""
        self._process.cancel_stream(number)

    async def drain_and_stop(self) -> None:
        """Answer what is held, then end."""
        if self.state is WorkerState.READY:
            self.state = WorkerState.DRAINING
        await self.wait_idle()
        await self.stop()

    async def wait_idle(self) -> None:
        """Wait until the worker holds no call."""
        await self._idle.wait()

    def is_responsive(self) -> bool:
        """Say whether the process runs: one that was stopped answers nothing."""
        return self._process.is_responsive()

    def split_in_flight(self) -> tuple[list[PendingCall], list[PendingCall]]:
        """Return, for a process that has ended, the calls it had begun, and those it had not.

        It had begun one at most, or some together, unless answers were lost in what else it wrote.
        """
        last = self._process.last_started
        begun = [pending for number, pending in self.in_flight.items() if number <= last]
        not_begun = [pending for number, pending in self.in_flight.items() if number > last]
        self.in_flight.clear()
        self._idle.set()
        return begun, not_begun

    def kill(self, reason: str) -> None:
        """Kill the process and all it started; `cause` is for whoever asks why. What it said still counts."""
        self.kill_reason = self.kill_reason or reason
        self.state = WorkerState.STOPPED
        self._process.kill()

    async def stop(self) -> ExitStatus:
        """End the process, and return how it ended. It may be called again, and meanwhile."""
        self.state = WorkerState.STOPPED
        if not self._process.has_exited:
            self.stop_requested = True
        # What it still runs, nobody waits for any more.
        return await self._process.terminate(0 if self.in_flight else _STOP_GRACE_S)

    def close(self) -> None:
        """Let go of what is left of the process; no call can be asked for any more."""
        self._process.close()

    def on_message(self, number: int, message: Any) -> None:
        """Take what the process said."""
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
        """Kill a process whose pipe the model has written into; nothing it says can be understood."""
        _log.exception("A worker of %s wrote into a pipe that is not its own", self._config.name)
        self.kill("wrote into a pipe that is not its own")
        self._process.close_connection()

    def on_disconnect(self) -> None:
        """Take a closed pipe for a dead process, and make sure that it is."""
        if self.state in (WorkerState.READY, WorkerState.DRAINING):
            self._loop.call_later(_DISCONNECT_KILL_DELAY_S, self._kill_if_alive)

    def _complete_call(self, number: int, message: Reply | Revoked) -> None:
        pending = self.in_flight.pop(number, None)
        self.is_stalled = False
        if self.in_flight:
            self.head_started_at = self._loop.time()
        else:
            self._idle.set()
        if pending is None:
            return
        if isinstance(message, Reply):
            self._on_reply(pending, message)
        else:
            self._on_revoked(pending)

    def _create_start_error(self, failed: Failure | None, exit_status: ExitStatus) -> ModelUnavailable:
        """Return why the worker did not start: what it answered, or how it ended without an answer."""
        cannot = f"The model '{self._config.name}' cannot be used:"
        if failed:
            _log.error(
                "The model %r could not be started",
                self._config.name,
                extra=traceback_extra(failed.traceback),
            )
            return ModelUnavailable(f"{cannot} {failed.message}")
        interrupted = exit_status.code in _EXTERNAL_KILL_CODES and not self._is_loading_model
        kind = WorkerKilledDuringStart if interrupted else ModelUnavailable
        return kind(f"{cannot} its worker {_format_exit_status(exit_status)} while starting.")

    def _kill_if_alive(self) -> None:
        """Kill a process that has closed its pipe without ending: it can answer nothing any more."""
        if not self._process.has_exited and self.state is not WorkerState.STOPPED:
            self.kill("closed its pipe to the server")


def _format_exit_status(exit_status: ExitStatus) -> str:
    return exit_status.reason if exit_status.code is None else describe_exit(exit_status.code)
