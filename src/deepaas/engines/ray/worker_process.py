"""The server's handle of a worker process that a Ray actor holds on a node."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import ray

from deepaas.engines.ray import error_translation, file_transfer
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
    """A worker process on a node; `options` are its actor's options, `on_output` receives its output."""

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
        """The process id on its node, once it is known."""
        return self._pid

    @property
    def has_exited(self) -> bool:
        """Whether the process is known to have exited."""
        return self._exit.done()

    @property
    def last_started(self) -> int:
        """The number of the last call that is known to have started."""
        return self._last_started

    async def start(self, config: WorkerConfig, listener: ProcessListener) -> None:
        """Create an actor, and start the process on its node.

        Raise `ModelUnavailable` when no node has enough resources, `WorkerKilledDuringStart` when the actor
        is lost.
        """
        self._listener = listener
        with error_translation.translate_ray_errors(config.name, self._options, _PLACEMENT_TIMEOUT_S):
            async with asyncio.timeout(_PLACEMENT_TIMEOUT_S):
                self._node, version = await self._create_actor()
            error_translation.check_version(config.name, self._node, version)
            self._pid = await self._actor.start.remote(encode(config), str(Path.cwd()))
        self._exchange([])

    def send(self, content: bytes, number: int = 0, scratch: ScratchFolder | None = None) -> None:
        """Send a message after the files of its call; messages of one loop iteration share an exchange."""
        if number:
            self._in_flight.add(number)
            if scratch:
                self._scratch[number] = scratch
        self._outbox.append((content, number, scratch))
        if not self._is_sending:
            self._is_sending = True
            self._loop.call_soon(self._flush)

    def pause(self) -> None:
        """Stop polling; the actor, and then the process, blocks once its buffer is full."""
        self._is_paused = True

    def resume(self) -> None:
        """Continue polling."""
        if self._is_paused:
            self._last_update_at = self._loop.time()
        self._is_paused = False
        self._poll()

    async def revoke_up_to(self, last: int) -> int | None:
        """Revoke all unstarted calls up to `last`; return the last started one, if the actor responds."""
        if self._actor is None:
            return None
        started: int | None = await self._call(self._actor.revoke_up_to.remote(last), _CALL_TIMEOUT_S)
        return started

    def cancel_stream(self, number: int) -> None:
        """Make the process end a streaming call after its next chunk."""
        self._notify("cancel_stream", number)

    def is_responsive(self) -> bool:
        """Return whether the process can run and its actor has sent an update recently."""
        is_heard = self._is_paused or self._loop.time() - self._last_update_at < _UPDATE_TIMEOUT_S
        return self._is_process_running and is_heard and not self.has_exited

    async def wait(self) -> ExitStatus:
        """Wait until the process has exited; return its exit status."""
        return await asyncio.shield(self._exit)

    async def drain_output(self) -> None:
        """Wait for file transfers in progress, for at most 1 s."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=_CALL_TIMEOUT_S)

    def kill(self) -> None:
        """Kill the process and its children, and 3 s later the actor."""
        self._notify("kill")
        self._loop.call_later(_KILL_GRACE_S, self._give_up_actor)

    def close_connection(self) -> None:
        """Close the connection to the process at once."""
        self._notify("close_connection")

    async def terminate(self, grace_s: float) -> ExitStatus:
        """Terminate the process, then kill its actor; return the exit status."""
        if self._actor is not None and not self.has_exited:
            await self._call(self._actor.terminate.remote(grace_s), grace_s + _KILL_GRACE_S)
        self._give_up_actor()
        return await self.wait()

    def close(self) -> None:
        """Kill the actor and cancel file transfers."""
        self._give_up_actor()
        for task in self._tasks:
            task.cancel()

    async def _create_actor(self) -> tuple[str, str]:
        """Create an actor, again if its node turns out to be dead; return its node and Python version."""
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
        """Send the messages before the next call with files, then upload that call's files."""
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
            # Caught before OSError, because Ray's error for a full node disk is an OSError, too.
            return self._give_up_actor()
        except OSError:
            pass  # the client has disconnected, and its files are deleted
        self._exchange([(content, number)])
        self._flush()
        return None

    def _poll(self) -> None:
        if not (self._pending_polls or self._is_paused or self.has_exited or self._actor is None):
            self._exchange([])

    def _exchange(self, frames: Frames) -> None:
        if self._actor is None:
            return  # the pool retries the calls on another worker
        number, self._next_exchange = self._next_exchange, self._next_exchange + 1
        self._pending_polls += 1
        self._create_task(self._await_update(self._actor.exchange.remote(number, frames)))

    async def _await_update(self, answer: Awaitable[WorkerUpdate]) -> None:
        try:
            update = await answer
        except ray.exceptions.RayError:
            self._give_up_actor()
            return
        finally:
            self._pending_polls -= 1
        for ready in self._inbox.add(update.number, update):
            self._on_update(ready)
        self._poll()

    def _on_update(self, update: WorkerUpdate) -> None:
        assert self._listener is not None
        self._last_update_at = self._loop.time()
        # An update that arrives after the actor was given up must not lower `last_started`.
        self._is_process_running, self._last_started = (
            update.is_running,
            max(self._last_started, update.last_started),
        )
        if update.output:
            self._on_output(update.output)
        try:
            messages = list(FrameDecoder(decode_plain).feed(update.frames))
        except Exception:  # noqa: BLE001 - user code may have written anything into the pipe
            self._listener.on_protocol_error()
            messages = []
        for number, message in messages:
            if isinstance(message, Reply | Revoked):
                self._on_reply(number, message)
            elif isinstance(message, Failure):
                self._listener.on_message(number, error_translation.add_node_hint(message, self._node))
            else:
                self._listener.on_message(number, message)
        if update.has_exited and not self._exit.done():
            self._exit.set_result(ExitStatus(update.exit_code))

    def _on_reply(self, number: int, message: Reply | Revoked) -> None:
        """Deliver a reply, after downloading its file if it has one, then delete the call's remote files."""
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
            failed = Failure(500, f"The result could not be copied from its node: {error.strerror}.")
            self._deliver(number, reply._replace(outcome=failed))
            return self._delete_remote_files(scratch)
        self._deliver(number, reply._replace(outcome=body._replace(path=str(target))))
        self._delete_remote_files(scratch)
        return None

    def _delete_remote_files(self, scratch: ScratchFolder | None) -> None:
        if scratch:
            self._notify("delete_files", get_scratch_name(scratch.path))

    def _notify(self, method: str, *arguments: Any) -> None:
        """Call a method of the actor without waiting for it."""
        if self._actor is not None and not self.has_exited:
            getattr(self._actor, method).remote(*arguments)

    async def _call(self, answer: Awaitable[Any], timeout_s: float) -> Any:
        """Await a response of the actor; return `None` on timeout or error."""
        with contextlib.suppress(TimeoutError, ray.exceptions.RayError):
            async with asyncio.timeout(timeout_s):
                return await answer
        return None

    def _give_up_actor(self) -> None:
        """Kill the actor and treat the process as lost.

        The call it ran is unknown; assume at least the first unanswered one.
        """
        host, self._actor = self._actor, None
        if not self._exit.done():
            self._last_started = max(self._last_started, min(self._in_flight, default=0))
            self._exit.set_result(ExitStatus(None, error_translation.ACTOR_LOST))
        if host is not None:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(host)

    def _create_task(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _list_files(scratch: ScratchFolder | None) -> list[str]:
    return scratch.files if scratch else []
