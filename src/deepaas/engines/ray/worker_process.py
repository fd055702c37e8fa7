"""A worker process over a Ray actor, as the server sees it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import ray

from deepaas.engines.ray import errors, file_transfer
from deepaas.engines.ray.wire import Reorderer, WorkerUpdate
from deepaas.engines.ray.worker_actor import Frames, WorkerActor
from deepaas.messages import Body, Failure, FrameDecoder, Reply, Revoked, WorkerConfig, decode_plain, encode
from deepaas.model.relocation import get_scratch_name
from deepaas.scratch import ScratchFolder
from deepaas.workers.process import ExitStatus, ProcessListener

_PLACEMENT_TIMEOUT_S = 60.0
_CALL_TIMEOUT_S = 1.0
_UPDATE_TIMEOUT_S = 6.0
_KILL_GRACE_S = 3.0
_RETRY_INTERVAL_S = 0.5


class RayProcess:
    """A process on a node. `options` are those of its actor, `on_output` is called with what it prints."""

    def __init__(self, options: dict[str, Any], on_output: Callable[[bytes], None]) -> None:
        self._options = options
        self._on_output = on_output
        self._actor: Any = None
        self._listener: ProcessListener | None = None
        self._loop = asyncio.get_running_loop()
        self._outbox: list[tuple[bytes, int, ScratchFolder | None]] = []
        self._is_sending = False
        self._scratch: dict[int, ScratchFolder] = {}
        self._in_flight: set[int] = set()
        self._next_exchange = 0
        self._pending_polls = 0
        self._inbox: Reorderer[WorkerUpdate] = Reorderer()
        self._is_paused = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._exit: asyncio.Future[ExitStatus] = self._loop.create_future()
        self._is_process_running = False
        self._last_update_at = 0.0
        self._last_started = 0
        self._pid: int | None = None
        self._node = ""

    @property
    def pid(self) -> int | None:
        """The process's id on its node, once it has one."""
        return self._pid

    @property
    def has_exited(self) -> bool:
        """Say whether the process is known to have ended."""
        return self._exit.done()

    @property
    def last_started(self) -> int:
        """The number of the last call that is known to have been begun."""
        return self._last_started

    async def start(self, config: WorkerConfig, listener: ProcessListener) -> None:
        """Have an actor placed, and start the process there.

        Raise `ModelUnavailable` when there is no room, or `WorkerKilledDuringStart` when the actor is lost.
        """
        self._listener = listener
        with errors.translate_ray_errors(config.name, self._options, _PLACEMENT_TIMEOUT_S):
            async with asyncio.timeout(_PLACEMENT_TIMEOUT_S):
                self._node, version = await self._create_actor()
            errors.check_version(config.name, self._node, version)
            self._pid = await self._actor.start.remote(encode(config), str(Path.cwd()))
        self._exchange([])

    def send(self, content: bytes, number: int = 0, scratch: ScratchFolder | None = None) -> None:
        """Send a message, behind the files that it needs; what one turn of the loop sends goes together."""
        if number:
            self._in_flight.add(number)
            if scratch:
                self._scratch[number] = scratch
        self._outbox.append((content, number, scratch))
        if not self._is_sending:
            self._is_sending = True
            self._loop.call_soon(self._flush)

    def pause(self) -> None:
        """Stop requesting messages; the actor waits then, and the worker with it."""
        self._is_paused = True

    def resume(self) -> None:
        """Request messages again."""
        if self._is_paused:
            self._last_update_at = self._loop.time()
        self._is_paused = False
        self._poll()

    async def revoke_up_to(self, last: int) -> int | None:
        """Let no call up to `last` be begun any more; return the last that was, if the actor says so."""
        if self._actor is None:
            return None
        begun: int | None = await self._call(self._actor.revoke_up_to.remote(last), _CALL_TIMEOUT_S)
        return begun

    def cancel_stream(self, number: int) -> None:
        """Let the process end a call whose result comes in chunks."""
        self._notify("cancel_stream", number)

    def is_responsive(self) -> bool:
        """Say whether the process runs, and its actor was heard of lately."""
        is_heard = self._is_paused or self._loop.time() - self._last_update_at < _UPDATE_TIMEOUT_S
        return self._is_process_running and is_heard and not self.has_exited

    async def wait(self) -> ExitStatus:
        """Wait until the process has ended; return how."""
        return await asyncio.shield(self._exit)

    async def drain_output(self) -> None:
        """Wait until files that an ended process has announced have come."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=_CALL_TIMEOUT_S)

    def kill(self) -> None:
        """Kill the process and all it started; when its actor is silent, the actor too."""
        self._notify("kill")
        self._loop.call_later(_KILL_GRACE_S, self._give_up_actor)

    def close_connection(self) -> None:
        """Hear nothing any more."""
        self._notify("close_connection")

    async def terminate(self, grace_s: float) -> ExitStatus:
        """End the process, and its actor."""
        if self._actor is not None and not self.has_exited:
            await self._call(self._actor.terminate.remote(grace_s), grace_s + _KILL_GRACE_S)
        self._give_up_actor()
        return await self.wait()

    def close(self) -> None:
        """Let go of the actor."""
        self._give_up_actor()
        for task in self._tasks:
            task.cancel()

    async def _create_actor(self) -> tuple[str, str]:
        """Have an actor placed, another when its node turns out to be dead; return its node and Python."""
        while True:
            self._actor = ray.remote(WorkerActor).options(**self._options).remote()
            try:
                node, version = await self._actor.get_node_info.remote()
            except ray.exceptions.ActorUnavailableError:
                await asyncio.sleep(_RETRY_INTERVAL_S)
            except ray.exceptions.ActorDiedError as error:
                if error.actor_init_failed:
                    raise
                await asyncio.sleep(_RETRY_INTERVAL_S)
            else:
                return node, version

    def _flush(self) -> None:
        """Send what can be sent now; when that is a call with files, its files first."""
        count = next(
            (index for index, (*_, scratch) in enumerate(self._outbox) if _list_files(scratch)), None
        )
        ready, self._outbox = self._outbox[:count], self._outbox[count:] if count is not None else []
        if ready:
            self._exchange([(content, number) for content, number, _ in ready])
        if self._outbox:
            self._create_task(self._send_with_files())
        else:
            self._is_sending = False

    async def _send_with_files(self) -> None:
        content, number, scratch = self._outbox.pop(0)
        assert scratch is not None
        host = self._actor
        if host is None:
            return None
        try:
            for path in map(Path, scratch.files):
                await file_transfer.upload(path, host, f"{get_scratch_name(scratch.path)}/{path.name}")
        except ray.exceptions.RayError:
            # Before what follows: an error of the node's disk is one of the system's too.
            return self._give_up_actor()
        except OSError:
            pass  # the client has left, and its files with it
        self._exchange([(content, number)])
        self._flush()
        return None

    def _poll(self) -> None:
        if not (self._pending_polls or self._is_paused or self.has_exited or self._actor is None):
            self._exchange([])

    def _exchange(self, frames: Frames) -> None:
        if self._actor is None:
            return  # what was to be said is given to another worker
        number, self._next_exchange = self._next_exchange, self._next_exchange + 1
        self._pending_polls += 1
        self._create_task(self._await_update(self._actor.exchange.remote(number, frames)))

    async def _await_update(self, answer: Awaitable[WorkerUpdate]) -> None:
        try:
            heard = await answer
        except ray.exceptions.RayError:
            self._give_up_actor()
            return
        finally:
            self._pending_polls -= 1
        for one in self._inbox.add(heard.number, heard):
            self._on_update(one)
        self._poll()

    def _on_update(self, heard: WorkerUpdate) -> None:
        assert self._listener is not None
        self._last_update_at = self._loop.time()
        # What was decided when the actor was lost is not undone by an answer that was on its way.
        self._is_process_running, self._last_started = (
            heard.is_running,
            max(self._last_started, heard.last_started),
        )
        if heard.output:
            self._on_output(heard.output)
        try:
            messages = list(FrameDecoder(decode_plain).feed(heard.frames))
        except Exception:  # noqa: BLE001 - the model may have written anything
            self._listener.on_protocol_error()
            messages = []
        for number, message in messages:
            if isinstance(message, Reply | Revoked):
                self._on_reply(number, message)
            elif isinstance(message, Failure):
                self._listener.on_message(number, errors.add_node_hint(message, self._node))
            else:
                self._listener.on_message(number, message)
        if heard.has_exited and not self._exit.done():
            self._exit.set_result(ExitStatus(heard.exit_code))

    def _on_reply(self, number: int, message: Reply | Revoked) -> None:
        """Pass an answer on; one in a file, when that has come. Then the call's files there can go."""
        scratch = self._scratch.pop(number, None)
        if isinstance(message, Reply) and isinstance(message.outcome, Body) and message.outcome.path:
            assert scratch is not None
            self._create_task(self._download_result(number, message, message.outcome, scratch))
            return
        self._deliver(number, message)
        if _list_files(scratch):
            self._delete_remote_files(scratch)

    def _deliver(self, number: int, message: Reply | Revoked) -> None:
        assert self._listener is not None
        self._in_flight.discard(number)
        self._listener.on_message(number, message)

    async def _download_result(self, number: int, reply: Reply, body: Body, scratch: ScratchFolder) -> None:
        assert body.path is not None
        host = self._actor
        if host is None:
            return None  # the result is lost with it
        target = Path(scratch.path) / Path(body.path).name
        try:
            await file_transfer.download(host, body.path, target)
        except ray.exceptions.RayError:
            return self._give_up_actor()
        except OSError as error:
            failed = Failure(500, f"The result could not be brought from its node: {error.strerror}.")
            self._deliver(number, reply._replace(outcome=failed))
            return self._delete_remote_files(scratch)
        self._deliver(number, reply._replace(outcome=body._replace(path=str(target))))
        self._delete_remote_files(scratch)
        return None

    def _delete_remote_files(self, scratch: ScratchFolder | None) -> None:
        if scratch:
            self._notify("delete_files", get_scratch_name(scratch.path))

    def _notify(self, method: str, *arguments: Any) -> None:
        """Call a method of the actor's without waiting for it."""
        if self._actor is not None and not self.has_exited:
            getattr(self._actor, method).remote(*arguments)

    async def _call(self, answer: Awaitable[Any], timeout_s: float) -> Any:
        """Return an answer of the actor's; nothing when it does not come in time."""
        with contextlib.suppress(TimeoutError, ray.exceptions.RayError):
            async with asyncio.timeout(timeout_s):
                return await answer
        return None

    def _give_up_actor(self) -> None:
        """Give the actor up. Which call it ran is not known then, but that it is the first unanswered one."""
        host, self._actor = self._actor, None
        if not self._exit.done():
            self._last_started = max(self._last_started, min(self._in_flight, default=0))
            self._exit.set_result(ExitStatus(None, errors.ACTOR_LOST))
        if host is not None:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(host)

    def _create_task(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _list_files(scratch: ScratchFolder | None) -> list[str]:
    return scratch.files if scratch else []
