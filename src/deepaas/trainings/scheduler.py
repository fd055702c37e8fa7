"""Schedules trainings: queues, starts, cancels and finishes them, and takes them over from dead servers."""

import asyncio
import contextlib
import contextvars
import dataclasses
import itertools
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple, Self

from deepaas.errors import StoreUnavailable
from deepaas.log import get_logger
from deepaas.thread_pools import DATABASE_EXECUTOR, TRAINING_FILES_EXECUTOR, run_in_executor
from deepaas.trainings.executor import TrainingExecutor, TrainingExit
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.job import Job, mark_recorded
from deepaas.trainings.local_executor import LocalExecutor
from deepaas.trainings.orphaned_folders import delete_orphaned_folders
from deepaas.trainings.outcome_recorder import OutcomeRecorder
from deepaas.trainings.process_id import ProcessId
from deepaas.trainings.record import TrainingRecord, TrainingState
from deepaas.trainings.recovery import POLL_INTERVAL_S, LeaseMonitor
from deepaas.trainings.repository import TrainingRepository
from deepaas.trainings.retention import RetentionPolicy, SteadyClock
from deepaas.trainings.store import TrainingStore

_POLLS_PER_RETENTION = 30
_EXIT_POLL_INTERVAL_S = 0.1
_REMOTE_CANCEL_TIMEOUT_S = 5.0
_log = get_logger(__name__)


class SchedulerConfig(NamedTuple):
    """Configuration of a `TrainingScheduler`.

    A cancelled training is killed `cancel_grace_s` seconds after SIGTERM, or when `force_stop` is set.
    `on_shutdown` is `cancel` or `detach`, for trainings that are unfinished when the server stops.

    `run_context` is entered while a training runs. `on_success` is awaited with the model's name after a
    training that succeeded.
    """

    max_concurrent: int
    cancel_grace_s: float
    force_stop: asyncio.Event
    on_shutdown: str
    retention: RetentionPolicy
    run_context: Callable[[], contextlib.AbstractAsyncContextManager[object]]
    on_success: Callable[[str], Awaitable[None]]


class TrainingScheduler:
    """Schedules the trainings of one server.

    An asynchronous context manager: entering opens the store and takes over trainings of dead servers;
    leaving cancels this server's trainings, or leaves them to another server.
    """

    def __init__(
        self,
        store: TrainingStore,
        state_folder: Path,
        config: SchedulerConfig,
        executor: TrainingExecutor | None = None,
    ) -> None:
        self.repository = TrainingRepository(store)
        self._store = store
        self._executor = executor or LocalExecutor(store)
        self._state_folder = state_folder
        self._config = config
        self._slots = asyncio.Semaphore(config.max_concurrent)
        self._own_id = ProcessId.current()
        self._clock = SteadyClock()
        self._leases = LeaseMonitor(self.repository, self._own_id)
        self._recorder = OutcomeRecorder(self.repository, state_folder)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._cancel_requests: set[asyncio.Task[Any]] = set()
        self._background_tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await run_in_executor(DATABASE_EXECUTOR, self._store.__enter__)
        await run_in_executor(TRAINING_FILES_EXECUTOR, self._recorder.create_disk_reserve)
        await self._poll_store()
        await run_in_executor(
            TRAINING_FILES_EXECUTOR, delete_orphaned_folders, self._state_folder, self._store
        )
        await self._apply_retention_to_all()
        self._background_tasks.append(asyncio.create_task(self._poll_forever()))
        if not self._store.is_file:
            self._background_tasks.append(
                asyncio.create_task(self._leases.renew_forever(lambda: self._tasks))
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._background_tasks:
            task.cancel()
        await asyncio.gather(*self._background_tasks, return_exceptions=True)
        if self._config.on_shutdown == "cancel":
            ending = dict(self._tasks)
            problems = await asyncio.gather(*map(self._cancel, ending), return_exceptions=True)
            for (uuid, task), problem in zip(ending.items(), problems, strict=True):
                if problem or uuid in self._recorder.unrecorded:
                    why = problem or "its outcome cannot be recorded"
                    _log.error("Training %s not cancelled; left to the next server start: %s", uuid, why)
                    task.cancel()
            await asyncio.gather(*ending.values(), return_exceptions=True)
        tasks = [*self._tasks.values(), *self._cancel_requests]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._store.__exit__()

    def get_folder(self, model: str, uuid: str) -> TrainingFolder:
        """Return the folder of a training."""
        return TrainingFolder.for_training(self._state_folder, model, uuid)

    async def submit(self, training: TrainingRecord, job: Job) -> TrainingRecord:
        """Record a new training and queue it.

        Raise `StoreUnavailable` or `OSError`, after deleting the training's folder.
        """
        folder = self.get_folder(training.model, training.uuid)
        training = dataclasses.replace(training, server=str(self._own_id), host=self._own_id.host)
        try:
            await run_in_executor(TRAINING_FILES_EXECUTOR, job.write, folder)
            await self.repository.run_in_thread(self._store.add, training)
        except Exception:
            await run_in_executor(TRAINING_FILES_EXECUTOR, shutil.rmtree, folder.path, ignore_errors=True)
            raise
        _log.info("Training %s of %s: queued", training.uuid, training.model)
        with contextlib.suppress(OSError):  # _run() tries again
            await run_in_executor(TRAINING_FILES_EXECUTOR, mark_recorded, folder)
        self._start_task(training, self._run(training))
        with contextlib.suppress(StoreUnavailable):  # the training is queued anyway
            (training,) = await self.repository.with_queue_positions([training])
        return training

    async def cancel(self, model: str, uuid: str) -> TrainingRecord:
        """Cancel a training and return its record. A finished training does not change."""
        task = asyncio.current_task()
        assert task is not None
        self._cancel_requests.add(task)  # which may go on without its client, until the store is closed
        try:
            await self.repository.get(model, uuid)
            await self._cancel(uuid)
            return await self.repository.get(model, uuid)
        finally:
            self._cancel_requests.discard(task)

    async def purge(self, model: str, uuid: str) -> TrainingRecord:
        """Cancel a training and delete its record and folder; return its last record."""
        training = await self.cancel(model, uuid)
        await self._delete(training)
        return training

    def _start_task(self, training: TrainingRecord, work: Coroutine[Any, Any, TrainingExit | None]) -> None:
        uuid = training.uuid
        task = asyncio.create_task(self._run_supervised(training, work), context=contextvars.Context())
        self._tasks[uuid] = task
        task.add_done_callback(lambda _: self._tasks.pop(uuid, None))

    async def _run_supervised(
        self, training: TrainingRecord, work: Coroutine[Any, Any, TrainingExit | None]
    ) -> None:
        """Run `work` and record the outcome, also when `work` raises."""
        try:
            ended = await work
        except Exception as error:  # noqa: BLE001 - a training must finish, whatever the error
            _log.exception("Training %s could not be run", training.uuid)
            # Messages of other errors may contain folders or the database's address.
            reason = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            ended = TrainingExit(f"The training could not be run: {reason}. See the server's log.", None)
        if ended:
            await self._recorder.record_with_retries(training, ended)
            await self._on_finished(training)

    async def _run(self, training: TrainingRecord) -> TrainingExit | None:
        """Wait for a slot, then run the training's process. Return None if it is no longer queued by then."""
        uuid = training.uuid
        async with self._slots:
            start = self._store.transition
            if not await self.repository.run_with_retries(
                start, uuid, TrainingState.STARTING, only_from=TrainingState.QUEUED
            ):
                return None
            folder = self.get_folder(training.model, uuid)
            await run_in_executor(TRAINING_FILES_EXECUTOR, mark_recorded, folder)
            async with self._config.run_context():
                return await self._executor.run(training, folder)

    async def _poll_forever(self) -> None:
        for round_ in itertools.count(1):
            await asyncio.sleep(POLL_INTERVAL_S)
            try:
                await self._poll_store()
                if round_ % _POLLS_PER_RETENTION == 0:
                    await self._apply_retention_to_all()
            except Exception:  # noqa: BLE001 - any driver error: polling must go on
                _log.exception("The training database could not be read; retrying")

    async def _poll_store(self) -> None:
        """Take over trainings of dead servers; stop processes of trainings that another server cancelled."""
        unfinished = await self.repository.run_in_thread(self._store.list_unfinished)
        for training in unfinished:
            uuid, own = training.uuid, training.server == str(self._own_id)
            if own and training.state is TrainingState.CANCELLING and uuid in self._tasks:
                await self._stop_process(training)
            if not (own or self._has_live_owner(training)):
                await self._take_over(training)
        if not self._store.is_file:
            await self._stop_lost({training.uuid for training in unfinished})
            await self._take_over_expired(unfinished)

    async def _take_over(self, training: TrainingRecord) -> None:
        """Become the owner of a training and run or follow it, unless another server claims it first."""
        if await self.repository.run_in_thread(
            self._store.claim_ownership, training.uuid, training.server, str(self._own_id)
        ):
            _log.info("Training %s of %s: taken over from another server", training.uuid, training.model)
            queued = training.state is TrainingState.QUEUED
            self._start_task(training, self._run(training) if queued else self._follow_taken_over(training))

    async def _take_over_expired(self, unfinished: list[TrainingRecord]) -> None:
        """Take over trainings of unreachable servers where the executor can attach; mark the others lost."""
        for training in await self._leases.find_expired(unfinished):
            if await self._executor.can_attach(training):
                await self._take_over(training)
            elif await self._leases.mark_lost(training):
                await self._on_finished(training)

    async def _stop_lost(self, unfinished: set[str]) -> None:
        """Terminate this server's processes of trainings that another server marked lost."""
        for uuid in set(self._tasks) - unfinished:
            training = await self.repository.run_in_thread(self._store.get, uuid)
            if training and training.state is TrainingState.LOST:
                _log.warning("Stopping training %s: another server marked it lost", uuid)
                await self._executor.terminate(training, self._config.cancel_grace_s, self._config.force_stop)

    def _has_live_owner(self, training: TrainingRecord) -> bool:
        """Return whether the training's server runs.

        A SQLite file belongs to one host, so a server with another host name no longer runs.
        """
        server = ProcessId.parse(training.server)
        return server.is_alive() and (server.host == self._own_id.host or not self._store.is_file)

    async def _follow_taken_over(self, training: TrainingRecord) -> TrainingExit:
        """Wait until a process that another server started exits. It occupies a slot only if one is free."""
        async with contextlib.AsyncExitStack() as stack:
            if not self._slots.locked():
                await stack.enter_async_context(self._slots)
            await stack.enter_async_context(self._config.run_context())
            await self._executor.attach(training, self.get_folder(training.model, training.uuid))
        message = "lost: the training's process vanished while no server was watching."
        return TrainingExit(message, None, TrainingState.LOST)

    async def _on_finished(self, training: TrainingRecord) -> None:
        """Log the outcome, call `on_success` after a success, and apply the retention policy."""
        ended = await self.repository.run_with_retries(self._store.get, training.uuid)
        if ended:
            _log_finish(ended)
        if ended and ended.state is TrainingState.DONE:
            await self._config.on_success(training.model)
        with contextlib.suppress(StoreUnavailable):  # _poll_forever() tries again
            await self._apply_retention(training.model)

    async def _apply_retention_to_all(self) -> None:
        for model in await self.repository.run_in_thread(self._store.list_models):
            await self._apply_retention(model)

    async def _apply_retention(self, model: str) -> None:
        if self._config.retention == RetentionPolicy():
            return
        trainings = await self.repository.run_in_thread(self._store.list_for_model, model)
        for superfluous in self._config.retention.select_expired(trainings, self._clock.now()):
            await self._delete(superfluous)

    async def _cancel(self, uuid: str) -> None:
        """Cancel a training in any state and wait until it has finished.

        The wait for another server's training is limited, since that server may be dead. The wait also stops
        when the process has exited but its outcome cannot be recorded now.
        """
        training = await self.repository.run_in_thread(self._store.get, uuid)
        if training is None:
            return
        if await self._recorder.transition(
            uuid, TrainingState.CANCELLED, only_from=TrainingState.QUEUED, finished=time.time()
        ):
            await run_in_executor(
                TRAINING_FILES_EXECUTOR, self.get_folder(training.model, uuid).delete_inputs
            )
            return
        if not await self._recorder.transition(uuid, TrainingState.CANCELLING):
            return
        deadline_s = time.monotonic() + self._config.cancel_grace_s + _REMOTE_CANCEL_TIMEOUT_S
        training = await self.repository.run_in_thread(self._store.get, uuid)
        while training and not training.state.is_final:
            await self._stop_process(training)
            if uuid in self._recorder.unrecorded:
                return
            if training.server != str(self._own_id) and time.monotonic() > deadline_s:
                return
            await asyncio.sleep(_EXIT_POLL_INTERVAL_S)
            training = await self.repository.run_in_thread(self._store.get, uuid)

    async def _stop_process(self, training: TrainingRecord) -> None:
        """Terminate the training's process, if started; the server of another host terminates its own."""
        had_one = await self._executor.terminate(
            training, self._config.cancel_grace_s, self._config.force_stop
        )
        task = self._tasks.get(training.uuid)
        if task:
            while not (task.done() or training.uuid in self._recorder.unrecorded):
                await asyncio.wait([task], timeout=_EXIT_POLL_INTERVAL_S)
        elif not had_one and training.server == str(self._own_id):
            await self._recorder.record(training, TrainingExit("", None, TrainingState.CANCELLED))

    async def _delete(self, training: TrainingRecord) -> None:
        path = self.get_folder(training.model, training.uuid).path
        await run_in_executor(TRAINING_FILES_EXECUTOR, shutil.rmtree, path, ignore_errors=True)
        await self.repository.run_in_thread(self._store.remove, training.uuid)


def _log_finish(training: TrainingRecord) -> None:
    level = logging.ERROR if training.state in (TrainingState.ERROR, TrainingState.LOST) else logging.INFO
    message = f": {training.message}" if training.message else ""
    _log.log(level, "Training %s of %s: %s%s", training.uuid, training.model, training.state.value, message)
