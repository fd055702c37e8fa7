"""Running trainings: the queue, a process for each, cancelling, and adopting what another server left.

It must not know HTTP.
"""

import asyncio
import contextlib
import contextvars
import dataclasses
import functools
import itertools
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple, Self

from deepaas.errors import StoreUnavailable
from deepaas.log import get_logger
from deepaas.private import open_file
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.job import Job, note_record
from deepaas.trainings.keeping import Keeping, SteadyClock
from deepaas.trainings.leftovers import remove_leftovers
from deepaas.trainings.local import LocalRunning
from deepaas.trainings.neighbours import LOOK_S, Neighbours
from deepaas.trainings.outcome import Outcome
from deepaas.trainings.process import ProcessName
from deepaas.trainings.records import Records
from deepaas.trainings.running import Ended, Running
from deepaas.trainings.store import Store
from deepaas.trainings.training import State, Training

_ROUNDS_BETWEEN_TIDYING = 30
_RETRY_S = 2.0
_RESERVE_BYTES = 1 << 18
_POLL_S = 0.1
_OTHERS_S = 5.0
_log = get_logger(__name__)


class Rules(NamedTuple):
    """How trainings are run: how many at a time, how long a cancelled one may linger, which are kept.

    When `hurry` is set, none may linger. `lost_after_s` is how long those who look after a training on
    another machine may be silent. `on_stop` is what becomes of running ones when the server stops,
    `cancel` or `leave`.

    `while_training` is entered for as long as a training runs, and `after_training` is awaited with the name
    of the model when one has ended well.
    """

    at_a_time: int
    cancel_grace_s: float
    hurry: asyncio.Event
    lost_after_s: float
    on_stop: str
    keeping: Keeping
    while_training: Callable[[], contextlib.AbstractAsyncContextManager[object]]
    after_training: Callable[[str], Awaitable[None]]


class Runner:
    """The trainings of one server.

    Use it as an asynchronous context manager: entering opens the store and adopts trainings whose server is
    gone; leaving cancels what runs, or leaves it to be adopted.
    """

    def __init__(self, store: Store, folder: Path, rules: Rules, running: Running | None = None) -> None:
        self.records = Records(store)
        self._store = store
        self._running = running or LocalRunning(store)
        self._folder = folder
        self._reserve = folder / "reserve"
        self._rules = rules
        self._places = asyncio.Semaphore(rules.at_a_time)
        self._own_name = ProcessName.own()
        self._clock = SteadyClock()
        self._neighbours = Neighbours(self.records, self._own_name, rules.lost_after_s)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._unrecorded: set[str] = set()
        self._repeating: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._store.__enter__)
        await asyncio.to_thread(self._make_reserve)
        await self._look()
        await asyncio.to_thread(remove_leftovers, self._folder, self._store)
        await self._tidy_all()
        self._repeating.append(asyncio.create_task(self._keep_looking()))
        if not self._store.is_file:
            self._repeating.append(asyncio.create_task(self._neighbours.keep_telling(lambda: self._tasks)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._repeating:
            task.cancel()
        await asyncio.gather(*self._repeating, return_exceptions=True)
        if self._rules.on_stop == "cancel":
            ending = dict(self._tasks)
            problems = await asyncio.gather(*map(self._end, ending), return_exceptions=True)
            for (uuid, task), problem in zip(ending.items(), problems, strict=True):
                if problem or uuid in self._unrecorded:
                    why = problem or "its end cannot be recorded now"
                    _log.error("The training %s is left to the next start, not cancelled: %s", uuid, why)
                    task.cancel()
            await asyncio.gather(*ending.values(), return_exceptions=True)
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._store.__exit__()

    def folder(self, model: str, uuid: str) -> TrainingFolder:
        """Return the folder of a training."""
        return TrainingFolder.of(self._folder, model, uuid)

    async def submit(self, training: Training, job: Job) -> Training:
        """Keep a new training and run it when its turn comes.

        Raise `StoreUnavailable` or `OSError`, leaving nothing behind.
        """
        folder = self.folder(training.model, training.uuid)
        training = dataclasses.replace(training, server=str(self._own_name), host=self._own_name.host)
        try:
            await asyncio.to_thread(job.write, folder)
            await self.records.ask(self._store.add, training)
        except Exception:
            await asyncio.to_thread(shutil.rmtree, folder.path, ignore_errors=True)
            raise
        _log.info("Training %s of %s: queued", training.uuid, training.model)
        with contextlib.suppress(OSError):  # it is tried again when the training's turn comes
            await asyncio.to_thread(note_record, folder)
        self._begin(training, self._run(training))
        with contextlib.suppress(StoreUnavailable):  # the training has begun all the same
            (training,) = await self.records.positioned([training])
        return training

    async def cancel(self, model: str, uuid: str) -> Training:
        """Cancel a training and return its record; one that has come to an end stays as it is."""
        await self.records.get(model, uuid)
        await self._end(uuid)
        return await self.records.get(model, uuid)

    async def purge(self, model: str, uuid: str) -> Training:
        """Cancel a training and forget it, with its folder; return the record as it was."""
        training = await self.cancel(model, uuid)
        await self._remove(training)
        return training

    def _begin(self, training: Training, work: Coroutine[Any, Any, Ended | None]) -> None:
        uuid = training.uuid
        task = asyncio.create_task(self._accounted_for(training, work), context=contextvars.Context())
        self._tasks[uuid] = task
        task.add_done_callback(lambda _: self._tasks.pop(uuid, None))

    async def _accounted_for(self, training: Training, work: Coroutine[Any, Any, Ended | None]) -> None:
        """Do `work`; whatever goes wrong in it, the training comes to an end."""
        try:
            ended = await work
        except Exception as error:  # noqa: BLE001 - a training must end, whatever happens
            _log.exception("The training %s could not be run", training.uuid)
            # Texts of other errors may have folders or the database's address in them.
            reason = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            ended = Ended(f"The training could not be run: {reason}. The server's log says more.", None)
        if ended:
            await self._record_end(training, ended)
            await self._after(training)

    async def _record_end(self, training: Training, ended: Ended) -> None:
        """Record how a training ended as soon as possible: the disk may be full, the database away."""
        try:
            while True:
                try:
                    await self._finish(training, ended)
                    break
                except Exception as error:  # noqa: BLE001 - whatever the database says, the end must be written
                    cause = error.__cause__ or error
                    _log.error("The training %s has ended and cannot be recorded: %s", training.uuid, cause)
                self._unrecorded.add(training.uuid)
                with contextlib.suppress(OSError):
                    await asyncio.to_thread(self._reserve.unlink, missing_ok=True)
                await asyncio.sleep(_RETRY_S)
        finally:
            self._unrecorded.discard(training.uuid)
        await asyncio.to_thread(self._make_reserve)

    def _make_reserve(self) -> None:
        """Keep some room on the disk, to be given up when the end of a training needs it."""
        with contextlib.suppress(OSError), open_file(self._reserve, "wb") as file:
            file.write(bytes(_RESERVE_BYTES))

    def _make_room(self) -> bool:
        """Give up the room that is kept, if the disk is full; return whether that gave any."""
        with contextlib.suppress(OSError):
            if shutil.disk_usage(self._folder).free < _RESERVE_BYTES:
                self._reserve.unlink()
                return True
        return False

    async def _run(self, training: Training) -> Ended | None:
        """Wait for a place, then for the training's process; return nothing when there is nothing to run."""
        uuid = training.uuid
        async with self._places:
            start = self._store.change
            if not await self.records.ask_patiently(start, uuid, State.STARTING, only_from=State.QUEUED):
                return None
            folder = self.folder(training.model, uuid)
            await asyncio.to_thread(note_record, folder)
            async with self._rules.while_training():
                return await self._running.run(training, folder)

    async def _keep_looking(self) -> None:
        for round_ in itertools.count(1):
            await asyncio.sleep(LOOK_S)
            try:
                await self._look()
                if round_ % _ROUNDS_BETWEEN_TIDYING == 0:
                    await self._tidy_all()
            except Exception:  # noqa: BLE001 - whatever the database says, trainings go on
                _log.exception("The store could not be read; trying again")

    async def _look(self) -> None:
        """Adopt the trainings of servers that are gone, and end those that another server has ended."""
        unfinished = await self.records.ask(self._store.unfinished)
        for training in unfinished:
            uuid, own = training.uuid, training.server == str(self._own_name)
            if own and training.state is State.CANCELLING and uuid in self._tasks:
                await self._end_process(training)
            if not (own or self._is_served(training)):
                await self._adopt(training)
        if not self._store.is_file:
            await self._end_lost({training.uuid for training in unfinished})
            await self._replace_silent(unfinished)

    async def _adopt(self, training: Training) -> None:
        """Answer for a training from now on, unless another server was faster."""
        if await self.records.ask(self._store.claim, training.uuid, training.server, str(self._own_name)):
            _log.info("Adopting the training %s of %s", training.uuid, training.model)
            queued = training.state is State.QUEUED
            self._begin(training, self._run(training) if queued else self._watch(training))

    async def _replace_silent(self, unfinished: list[Training]) -> None:
        """Adopt what silent machines still run, where that can be seen from here; the rest is lost."""
        for training in await self._neighbours.silent(unfinished):
            if await self._running.is_known(training):
                await self._adopt(training)
            else:
                await self._neighbours.call_lost(training)
                await self._after(training)

    async def _end_lost(self, unfinished: set[str]) -> None:
        """End the processes here of trainings that other servers have called lost."""
        for uuid in set(self._tasks) - unfinished:
            training = await self.records.ask(self._store.get, uuid)
            if training and training.state is State.LOST:
                _log.warning("The training %s counts as lost: it is ended", uuid)
                await self._running.end(training, self._rules.cancel_grace_s, self._rules.hurry)

    def _is_served(self, training: Training) -> bool:
        """Say whether another server answers for the training. A store in a file has one host's servers."""
        server = ProcessName.parse(training.server)
        return server.is_alive() and (server.host == self._own_name.host or not self._store.is_file)

    async def _watch(self, training: Training) -> Ended:
        """Wait for the end of a process that another server started."""
        async with contextlib.AsyncExitStack() as stack:
            if not self._places.locked():
                await stack.enter_async_context(self._places)
            await stack.enter_async_context(self._rules.while_training())
            await self._running.follow(training, self.folder(training.model, training.uuid))
        message = "lost: the training's process vanished while no server was watching."
        return Ended(message, None, State.LOST)

    async def _finish(self, training: Training, ended: Ended) -> None:
        """Write the end of a training whose process has ended without recording it."""
        folder = self.folder(training.model, training.uuid)
        current = await self.records.ask(self._store.get, training.uuid)
        if current is None or current.state.is_end:
            return None
        outcome = await asyncio.to_thread(Outcome.read, folder)
        if outcome and current.state is not State.CANCELLING:
            await asyncio.to_thread(folder.drop_inputs)
            return await self.records.ask(outcome.record, training.uuid, self._store)
        artifacts = await asyncio.to_thread(folder.listing, hashed=True)
        await asyncio.to_thread(folder.drop_inputs)
        end = {"finished": time.time(), "exit": ended.exit, "artifacts": artifacts}
        if not await self._change(training.uuid, State.CANCELLED, only_from=State.CANCELLING, **end):
            await self._change(training.uuid, ended.state, message=ended.message, **end)
        return None

    async def _after(self, training: Training) -> None:
        """Do what follows a training: use what it made, remove old ones."""
        ended = await self.records.ask_patiently(self._store.get, training.uuid)
        if ended:
            _note_end(ended)
        if ended and ended.state is State.DONE:
            await self._rules.after_training(training.model)
        with contextlib.suppress(StoreUnavailable):  # all models are tidied again and again
            await self._tidy(training.model)

    async def _tidy_all(self) -> None:
        for model in await self.records.ask(self._store.models):
            await self._tidy(model)

    async def _tidy(self, model: str) -> None:
        """Remove the trainings of a model that are not to be kept."""
        if self._rules.keeping == Keeping():
            return
        trainings = await self.records.ask(self._store.of_model, model)
        for superfluous in self._rules.keeping.superfluous(trainings, self._clock.now()):
            await self._remove(superfluous)

    async def _end(self, uuid: str) -> None:
        """Cancel a training, whatever state it is in, and wait until it has ended.

        Another server's is waited for as long as that may take it, since that server may be gone for good.
        The record of one whose process has ended is not waited for when it cannot be written now.
        """
        training = await self.records.ask(self._store.get, uuid)
        if training is None:
            return
        if await self._change(uuid, State.CANCELLED, only_from=State.QUEUED, finished=time.time()):
            await asyncio.to_thread(self.folder(training.model, uuid).drop_inputs)
            return
        if not await self._change(uuid, State.CANCELLING):
            return
        patient_until = time.monotonic() + self._rules.cancel_grace_s + _OTHERS_S
        training = await self.records.ask(self._store.get, uuid)
        while training and not training.state.is_end:
            await self._end_process(training)
            if uuid in self._unrecorded:
                return
            if training.server != str(self._own_name) and time.monotonic() > patient_until:
                return
            await asyncio.sleep(_POLL_S)
            training = await self.records.ask(self._store.get, uuid)

    async def _end_process(self, training: Training) -> None:
        """End the training's process, once it is known; another host's server ends its own."""
        had_one = await self._running.end(training, self._rules.cancel_grace_s, self._rules.hurry)
        task = self._tasks.get(training.uuid)
        if task:
            while not (task.done() or training.uuid in self._unrecorded):
                await asyncio.wait([task], timeout=_POLL_S)
        elif not had_one and training.server == str(self._own_name):
            await self._finish(training, Ended("", None, State.CANCELLED))

    async def _remove(self, training: Training) -> None:
        path = self.folder(training.model, training.uuid).path
        await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        await self.records.ask(self._store.remove, training.uuid)

    async def _change(self, uuid: str, state: State, **values: Any) -> bool:
        change = functools.partial(self._store.change, uuid, state, **values)
        try:
            return await self.records.ask(change)
        except StoreUnavailable:
            if not await asyncio.to_thread(self._make_room):
                raise
        return await self.records.ask(change)


def _note_end(training: Training) -> None:
    level = logging.ERROR if training.state in (State.ERROR, State.LOST) else logging.INFO
    said = f": {training.message}" if training.message else ""
    _log.log(level, "Training %s of %s: %s%s", training.uuid, training.model, training.state.value, said)
