"""Runs trainings as processes on this machine."""

import asyncio
import os
import time

from deepaas.child_setup import kill_process_group
from deepaas.private_files import open_file
from deepaas.processes import describe_exit, get_exit_code_or_signal, spawn_python
from deepaas.reporting import ARTIFACTS_VARIABLE, FOLDER_VARIABLE
from deepaas.thread_pools import DATABASE_EXECUTOR, run_in_executor
from deepaas.trainings import oom
from deepaas.trainings.child import STORE_URL_VARIABLE
from deepaas.trainings.executor import TrainingExit
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.process_id import ProcessId
from deepaas.trainings.record import TrainingRecord, TrainingState
from deepaas.trainings.store import TrainingStore


class LocalExecutor:
    """Runs training processes on this machine; they write their records to `store` themselves."""

    def __init__(self, store: TrainingStore) -> None:
        self._store = store
        self._host = ProcessId.current().host

    async def run(self, training: TrainingRecord, folder: TrainingFolder) -> TrainingExit:
        """Run the job in the folder and return how its process exited."""
        kills_before = oom.oom_kill_count()
        process = await spawn_training(training.uuid, folder, self._store)
        code = await process.wait()
        kill_process_group(process.pid)
        return to_training_exit(code, out_of_memory=code < 0 and oom.oom_kill_count() > kills_before)

    async def attach(self, training: TrainingRecord, folder: TrainingFolder) -> None:  # noqa: ARG002 - part of the interface
        """Wait until the training's process, which may still be starting, exits."""
        process = self._find_process(training)
        if process is None:
            # A process that is still starting exits when it finds the record final.
            end = {"message": "lost: the server died while starting it.", "finished": time.time()}
            change = self._store.transition
            if await run_in_executor(
                DATABASE_EXECUTOR,
                change,
                training.uuid,
                TrainingState.LOST,
                only_from=TrainingState.STARTING,
                **end,
            ):
                return
            current = await run_in_executor(DATABASE_EXECUTOR, self._store.get, training.uuid)
            process = self._find_process(current) if current else None
        if process and process.is_alive():
            await process.wait_exit()
            kill_process_group(process.pid)

    async def can_attach(self, training: TrainingRecord) -> bool:  # noqa: ARG002 - part of the interface
        """Return False: this server cannot see processes of other machines."""
        return False

    async def terminate(self, training: TrainingRecord, grace_s: float, force_stop: asyncio.Event) -> bool:
        """Terminate the training's process and its descendants; return whether there was one."""
        process = self._find_process(training)
        if process:
            await process.terminate(grace_s, force_stop)
        return process is not None

    def _find_process(self, training: TrainingRecord) -> ProcessId | None:
        """Return the training's process; None if it is unknown or on a former host."""
        start = training.process_start or training.pid_started
        if training.pid is None or start is None:
            return None
        if self._store.is_file and training.host != self._host:
            return None
        return ProcessId(training.host, training.pid, str(start))


async def spawn_training(
    uuid: str, folder: TrainingFolder, store: TrainingStore, *, is_remote: bool = False
) -> asyncio.subprocess.Process:
    """Start a training's process. It writes its record to the store; its output goes to the log.

    With `is_remote`, the process may run on another machine than the server. It then exits with the calling
    process, since no server could find it again.
    """
    folders = {FOLDER_VARIABLE: str(folder.path), ARTIFACTS_VARIABLE: str(folder.artifacts)}
    with open_file(folder.log, "ab") as output:
        return await spawn_python(
            "deepaas.trainings.child",
            uuid,
            str(folder.path),
            str(store.lease_s),
            *(["remote"] if is_remote else []),
            die_with_parent=is_remote,
            output=output,
            environment=os.environ | folders | {STORE_URL_VARIABLE: store.url},
        )


def to_training_exit(code: int, *, out_of_memory: bool) -> TrainingExit:
    """Describe an exit code."""
    message = f"The training's process {describe_exit(code)}"
    cause = ": the system ran out of memory." if out_of_memory else "."
    return TrainingExit(message + cause, get_exit_code_or_signal(code))
