"""Records how trainings ended, also when the disk is full or the database unavailable."""

import asyncio
import contextlib
import functools
import shutil
import time
from pathlib import Path
from typing import Any

from deepaas.errors import StoreUnavailable
from deepaas.log import get_logger
from deepaas.private_files import open_file
from deepaas.thread_pools import TRAINING_FILES_EXECUTOR, run_in_executor
from deepaas.trainings.executor import TrainingExit
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.outcome import Outcome
from deepaas.trainings.record import TrainingRecord, TrainingState
from deepaas.trainings.repository import TrainingRepository

_RETRY_INTERVAL_S = 2.0
_DISK_RESERVE_BYTES = 1 << 18
_log = get_logger(__name__)


class OutcomeRecorder:
    """Records the outcomes of trainings whose process exited, and keeps disk space in reserve for that.

    `unrecorded` has the ids of trainings whose process has exited, but whose outcome cannot be recorded now.
    """

    def __init__(self, repository: TrainingRepository, state_folder: Path) -> None:
        self.unrecorded: set[str] = set()
        self._repository = repository
        self._store = repository.store
        self._state_folder = state_folder
        self._disk_reserve = state_folder / "reserve"

    def create_disk_reserve(self) -> None:
        """Allocate a file to delete when a full disk prevents recording an outcome."""
        with contextlib.suppress(OSError), open_file(self._disk_reserve, "wb") as file:
            file.write(bytes(_DISK_RESERVE_BYTES))

    async def record_with_retries(self, training: TrainingRecord, ended: TrainingExit) -> None:
        """Record the outcome; retry while the disk is full or the database unavailable."""
        try:
            while True:
                try:
                    await self.record(training, ended)
                    break
                except Exception as error:  # noqa: BLE001 - any driver error: the outcome must be recorded
                    cause = error.__cause__ or error
                    _log.error("Training %s has finished but cannot be recorded: %s", training.uuid, cause)
                self.unrecorded.add(training.uuid)
                with contextlib.suppress(OSError):
                    await run_in_executor(TRAINING_FILES_EXECUTOR, self._disk_reserve.unlink, missing_ok=True)
                await asyncio.sleep(_RETRY_INTERVAL_S)
        finally:
            self.unrecorded.discard(training.uuid)
        await run_in_executor(TRAINING_FILES_EXECUTOR, self.create_disk_reserve)

    async def record(self, training: TrainingRecord, ended: TrainingExit) -> None:
        """Record the outcome of a training whose process exited without recording it."""
        folder = TrainingFolder.for_training(self._state_folder, training.model, training.uuid)
        current = await self._repository.run_in_thread(self._store.get, training.uuid)
        if current is None or current.state.is_final:
            return None
        outcome = await run_in_executor(TRAINING_FILES_EXECUTOR, Outcome.read, folder)
        if outcome and current.state is not TrainingState.CANCELLING:
            await run_in_executor(TRAINING_FILES_EXECUTOR, folder.delete_inputs)
            return await self._repository.run_in_thread(outcome.record, training.uuid, self._store)
        artifacts = await run_in_executor(TRAINING_FILES_EXECUTOR, folder.list_artifacts, hashed=True)
        await run_in_executor(TRAINING_FILES_EXECUTOR, folder.delete_inputs)
        end = {"finished": time.time(), "exit": ended.exit, "artifacts": artifacts}
        if not await self.transition(
            training.uuid, TrainingState.CANCELLED, only_from=TrainingState.CANCELLING, **end
        ):
            await self.transition(training.uuid, ended.state, message=ended.message, **end)
        return None

    async def transition(self, uuid: str, state: TrainingState, **values: Any) -> bool:
        """Like `TrainingStore.transition`; on a full disk, use the reserve and retry once."""
        change = functools.partial(self._store.transition, uuid, state, **values)
        try:
            return await self._repository.run_in_thread(change)
        except StoreUnavailable:
            if not await run_in_executor(TRAINING_FILES_EXECUTOR, self._release_disk_reserve):
                raise
        return await self._repository.run_in_thread(change)

    def _release_disk_reserve(self) -> bool:
        """Delete the reserve file if the disk is full; return whether that freed space."""
        with contextlib.suppress(OSError):
            if shutil.disk_usage(self._state_folder).free < _DISK_RESERVE_BYTES:
                self._disk_reserve.unlink()
                return True
        return False
