"""A worker's process on some node of the cluster, held by an actor, as the server sees it.

It must not know what is said, but that a reply may name a file.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import ray

from deepaas.engines.on_ray import carrying, refusals
from deepaas.engines.on_ray.host import Said, WorkerHost
from deepaas.engines.on_ray.said import Heard, InOrder
from deepaas.files import Scratch
from deepaas.messages import Body, Failed, Reply, Start, TakenBack, Unframer, decode_plain, encode
from deepaas.model.elsewhere import name_of
from deepaas.workers.process import Exit, Listener

_PLACE_S = 60.0
_ANSWER_S = 1.0
_SILENCE_S = 6.0
_KILL_S = 3.0
_AGAIN_S = 0.5


class RayProcess:
    """A process on a node. `options` are those of its actor, `on_output` is called with what it prints."""

    def __init__(self, options: dict[str, Any], on_output: Callable[[bytes], None]) -> None:
        self._options = options
        self._on_output = on_output
        self._host: Any = None
        self._listener: Listener | None = None
        self._loop = asyncio.get_running_loop()
        self._outbox: list[tuple[bytes, int, Scratch | None]] = []
        self._is_sending = False
        self._scratch: dict[int, Scratch] = {}
        self._unanswered: set[int] = set()
        self._next = 0
        self._listening = 0
        self._inbox: InOrder[Heard] = InOrder()
        self._is_paused = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._exit: asyncio.Future[Exit] = self._loop.create_future()
        self._stands = False
        self._heard_at = 0.0
        self._begun = 0
        self._pid: int | None = None
        self._node = ""

    @property
    def pid(self) -> int | None:
        """The process's id on its node, once it has one."""
        return self._pid

    @property
    def has_ended(self) -> bool:
        """Say whether the process is known to have ended."""
        return self._exit.done()

    @property
    def begun(self) -> int:
        """The number of the last call that is known to have been begun."""
        return self._begun

    async def start(self, start: Start, listener: Listener) -> None:
        """Have an actor placed, and start the process there.

        Raise `ModelUnavailable` when there is no room, or `WorkerInterrupted` when the actor is lost.
        """
        self._listener = listener
        with refusals.told(start.name, self._options, _PLACE_S):
            async with asyncio.timeout(_PLACE_S):
                self._node, version = await self._place()
            refusals.check_version(start.name, self._node, version)
            self._pid = await self._host.start.remote(encode(start), str(Path.cwd()))
        self._talk([])

    def send(self, content: bytes, number: int = 0, scratch: Scratch | None = None) -> None:
        """Send a message, behind the files that it needs; what one turn of the loop sends goes together."""
        if number:
            self._unanswered.add(number)
            if scratch:
                self._scratch[number] = scratch
        self._outbox.append((content, number, scratch))
        if not self._is_sending:
            self._is_sending = True
            self._loop.call_soon(self._flush)

    def pause(self) -> None:
        """Ask for nothing for now: the actor waits, and so does the process."""
        self._is_paused = True

    def resume(self) -> None:
        """Ask again what the process says."""
        if self._is_paused:
            self._heard_at = self._loop.time()
        self._is_paused = False
        self._listen()

    async def take_back(self, last: int) -> int | None:
        """Let no call up to `last` be begun any more; return the last that was, if the actor says so."""
        if self._host is None:
            return None
        begun: int | None = await self._asked(self._host.take_back.remote(last), _ANSWER_S)
        return begun

    def give_up(self, number: int) -> None:
        """Let the process end a call whose result comes in chunks."""
        self._tell("give_up", number)

    def is_running(self) -> bool:
        """Say whether the process runs, and its actor was heard of lately."""
        is_heard = self._is_paused or self._loop.time() - self._heard_at < _SILENCE_S
        return self._stands and is_heard and not self.has_ended

    async def exited(self) -> Exit:
        """Wait until the process has ended; return how."""
        return await asyncio.shield(self._exit)

    async def last_words(self) -> None:
        """Wait until files that an ended process has announced have come."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=_ANSWER_S)

    def kill(self) -> None:
        """Kill the process and all it started; when its actor is silent, the actor too."""
        self._tell("kill")
        self._loop.call_later(_KILL_S, self._lose)

    def hang_up(self) -> None:
        """Hear nothing any more."""
        self._tell("hang_up")

    async def end(self, grace_s: float) -> Exit:
        """End the process, and its actor."""
        if self._host is not None and not self.has_ended:
            await self._asked(self._host.end.remote(grace_s), grace_s + _KILL_S)
        self._lose()
        return await self.exited()

    def close(self) -> None:
        """Let go of the actor."""
        self._lose()
        for task in self._tasks:
            task.cancel()

    async def _place(self) -> tuple[str, str]:
        """Have an actor placed, another when its node turns out to be dead; return its node and Python."""
        while True:
            self._host = ray.remote(WorkerHost).options(**self._options).remote()
            try:
                node, version = await self._host.place.remote()
            except ray.exceptions.ActorUnavailableError:
                await asyncio.sleep(_AGAIN_S)
            except ray.exceptions.ActorDiedError as error:
                if error.actor_init_failed:
                    raise
                await asyncio.sleep(_AGAIN_S)
            else:
                return node, version

    def _flush(self) -> None:
        """Send what can be sent now; when that is a call with files, its files first."""
        count = next((index for index, (*_, scratch) in enumerate(self._outbox) if _files(scratch)), None)
        ready, self._outbox = self._outbox[:count], self._outbox[count:] if count is not None else []
        if ready:
            self._talk([(content, number) for content, number, _ in ready])
        if self._outbox:
            self._in_background(self._send_with_files())
        else:
            self._is_sending = False

    async def _send_with_files(self) -> None:
        content, number, scratch = self._outbox.pop(0)
        assert scratch is not None
        host = self._host
        if host is None:
            return None
        try:
            for path in map(Path, scratch.files):
                await carrying.send(path, host, f"{name_of(scratch.path)}/{path.name}")
        except ray.exceptions.RayError:
            # Before what follows: an error of the node's disk is one of the system's too.
            return self._lose()
        except OSError:
            pass  # the client has left, and its files with it
        self._talk([(content, number)])
        self._flush()
        return None

    def _listen(self) -> None:
        if not (self._listening or self._is_paused or self.has_ended or self._host is None):
            self._talk([])

    def _talk(self, said: Said) -> None:
        if self._host is None:
            return  # what was to be said is given to another worker
        number, self._next = self._next, self._next + 1
        self._listening += 1
        self._in_background(self._hear(self._host.talk.remote(number, said)))

    async def _hear(self, answer: Awaitable[Heard]) -> None:
        try:
            heard = await answer
        except ray.exceptions.RayError:
            self._lose()
            return
        finally:
            self._listening -= 1
        for one in self._inbox.add(heard.number, heard):
            self._take(one)
        self._listen()

    def _take(self, heard: Heard) -> None:
        assert self._listener is not None
        self._heard_at = self._loop.time()
        # What was decided when the actor was lost is not undone by an answer that was on its way.
        self._stands, self._begun = heard.is_running, max(self._begun, heard.begun)
        if heard.printed:
            self._on_output(heard.printed)
        try:
            messages = list(Unframer(decode_plain).feed(heard.said))
        except Exception:  # noqa: BLE001 - the model may have written anything
            self._listener.hear_garbage()
            messages = []
        for number, message in messages:
            if isinstance(message, Reply | TakenBack):
                self._answer(number, message)
            elif isinstance(message, Failed):
                self._listener.hear(number, refusals.located(message, self._node))
            else:
                self._listener.hear(number, message)
        if heard.has_ended and not self._exit.done():
            self._exit.set_result(Exit(heard.code))

    def _answer(self, number: int, message: Reply | TakenBack) -> None:
        """Pass an answer on; one in a file, when that has come. Then the call's files there can go."""
        scratch = self._scratch.pop(number, None)
        if isinstance(message, Reply) and isinstance(message.outcome, Body) and message.outcome.path:
            assert scratch is not None
            self._in_background(self._fetch(number, message, message.outcome, scratch))
            return
        self._pass_on(number, message)
        if _files(scratch):
            self._drop(scratch)

    def _pass_on(self, number: int, message: Reply | TakenBack) -> None:
        assert self._listener is not None
        self._unanswered.discard(number)
        self._listener.hear(number, message)

    async def _fetch(self, number: int, reply: Reply, body: Body, scratch: Scratch) -> None:
        assert body.path is not None
        host = self._host
        if host is None:
            return None  # the result is lost with it
        target = Path(scratch.path) / Path(body.path).name
        try:
            await carrying.bring(host, body.path, target)
        except ray.exceptions.RayError:
            return self._lose()
        except OSError as error:
            failed = Failed(500, f"The result could not be brought from its node: {error.strerror}.")
            self._pass_on(number, reply._replace(outcome=failed))
            return self._drop(scratch)
        self._pass_on(number, reply._replace(outcome=body._replace(path=str(target))))
        self._drop(scratch)
        return None

    def _drop(self, scratch: Scratch | None) -> None:
        if scratch:
            self._tell("drop", name_of(scratch.path))

    def _tell(self, method: str, *arguments: Any) -> None:
        """Call a method of the actor's without waiting for it."""
        if self._host is not None and not self.has_ended:
            getattr(self._host, method).remote(*arguments)

    async def _asked(self, answer: Awaitable[Any], timeout_s: float) -> Any:
        """Return an answer of the actor's; nothing when it does not come in time."""
        with contextlib.suppress(TimeoutError, ray.exceptions.RayError):
            async with asyncio.timeout(timeout_s):
                return await answer
        return None

    def _lose(self) -> None:
        """Give the actor up. Which call it ran is not known then, but that it is the first unanswered one."""
        host, self._host = self._host, None
        if not self._exit.done():
            self._begun = max(self._begun, min(self._unanswered, default=0))
            self._exit.set_result(Exit(None, refusals.LOST))
        if host is not None:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(host)

    def _in_background(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _files(scratch: Scratch | None) -> list[str]:
    return scratch.files if scratch else []
