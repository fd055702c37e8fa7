"""Interface for running training processes, locally or on a cluster."""

import asyncio
from typing import NamedTuple, Protocol

from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.record import TrainingRecord, TrainingState


class TrainingExit(NamedTuple):
    """How a training's process ended, for a record that it has not ended itself."""

    message: str
    exit: str | None
    state: TrainingState = TrainingState.ERROR


class TrainingExecutor(Protocol):
    """Runs the processes of trainings."""

    async def run(self, training: TrainingRecord, folder: TrainingFolder) -> TrainingExit:
        """Run the job in the folder and return how its process ended; the record says the rest."""

    async def attach(self, training: TrainingRecord, folder: TrainingFolder) -> None:
        """Wait for the end of a process that another server started, which may only just be starting."""

    async def can_attach(self, training: TrainingRecord) -> bool:
        """Say whether another machine's training can be followed from here, as it still runs."""

    async def terminate(self, training: TrainingRecord, grace_s: float, force_stop: asyncio.Event) -> bool:
        """End the training's process; say whether there was one to be ended.

        It has `grace_s` seconds to end by itself, unless there is `hurry`. One that another server's machine
        runs is left to that server.
        """
