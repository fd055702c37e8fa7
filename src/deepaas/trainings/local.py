"""Trainings' processes on this machine, each with the group it leads. It must not know what they do."""

import asyncio
import os
import time

from deepaas.private import open_file
from deepaas.reporting import ARTIFACTS_VARIABLE, FOLDER_VARIABLE
from deepaas.spawn import exit_reason, exit_word, spawn
from deepaas.spawned import kill_group
from deepaas.trainings import memory
from deepaas.trainings.child import STORE_VARIABLE
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.process import ProcessName
from deepaas.trainings.running import Ended
from deepaas.trainings.store import Store
from deepaas.trainings.training import State, Training


class LocalRunning:
    """Runs trainings' processes on this machine; they write their records to `store` themselves."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._host = ProcessName.own().host

    async def run(self, training: Training, folder: TrainingFolder) -> Ended:
        """Run the job in the folder and return how its process ended."""
        kills_before = memory.kills()
        process = await spawn_training(training.uuid, folder, self._store.url)
        code = await process.wait()
        kill_group(process.pid)
        return ended(code, out_of_memory=code < 0 and memory.kills() > kills_before)

    async def follow(self, training: Training, folder: TrainingFolder) -> None:  # noqa: ARG002 - nothing to bring
        """Wait until the training's process, which may only just be starting, is there no more."""
        process = self._process_of(training)
        if process is None:
            # Its process, if there is one yet, gives up when it finds the record ended.
            end = {"message": "lost: the server died while starting it.", "finished": time.time()}
            change = self._store.change
            if await asyncio.to_thread(change, training.uuid, State.LOST, only_from=State.STARTING, **end):
                return
            current = await asyncio.to_thread(self._store.get, training.uuid)
            process = self._process_of(current) if current else None
        if process and process.is_alive():
            await process.gone()
            kill_group(process.pid)

    async def is_known(self, training: Training) -> bool:  # noqa: ARG002 - whatever it is
        """Say no: processes of other machines are not seen from here."""
        return False

    async def end(self, training: Training, grace_s: float, hurry: asyncio.Event) -> bool:
        """End the training's process and all it started; say whether there was one."""
        process = self._process_of(training)
        if process:
            await process.end(grace_s, hurry)
        return process is not None

    def _process_of(self, training: Training) -> ProcessName | None:
        """Return the training's process, if it has one that is not known to be gone."""
        start = training.process_start or training.pid_started
        if training.pid is None or start is None:
            return None
        if self._store.is_file and training.host != self._host:
            return None
        return ProcessName(training.host, training.pid, str(start))


async def spawn_training(
    uuid: str, folder: TrainingFolder, store_url: str, *, is_elsewhere: bool = False
) -> asyncio.subprocess.Process:
    """Start the process of a training, which writes its record to the store and what it prints to its log.

    `is_elsewhere` says that this may not be the server's machine: it then ends with the process that calls
    this, since nobody could find it again.
    """
    places = {FOLDER_VARIABLE: str(folder.path), ARTIFACTS_VARIABLE: str(folder.artifacts)}
    with open_file(folder.log, "ab") as output:
        return await spawn(
            "deepaas.trainings.child",
            uuid,
            str(folder.path),
            *(["elsewhere"] if is_elsewhere else []),
            lifeline=is_elsewhere,
            output=output,
            environment=os.environ | places | {STORE_VARIABLE: store_url},
        )


def ended(code: int, *, out_of_memory: bool) -> Ended:
    """Return how a process ended, in words."""
    message = f"The training's process {exit_reason(code)}"
    cause = ": the system ran out of memory." if out_of_memory else "."
    return Ended(message + cause, exit_word(code))
