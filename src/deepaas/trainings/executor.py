"""Interface for running training processes, locally or on a cluster."""

import asyncio
from typing import NamedTuple, Protocol

from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.record import TrainingRecord, TrainingState


class TrainingExit(NamedTuple):
    """How a training's process exited: recorded if the process did not record an outcome itself."""

    message: str
    exit: str | None
    state: TrainingState = TrainingState.ERROR


class TrainingExecutor(Protocol):
    """Runs the processes of trainings."""

    async def run(self, training: TrainingRecord, folder: TrainingFolder) -> TrainingExit:
        """Run the job in the folder and return how its process exited."""

    async def attach(self, training: TrainingRecord, folder: TrainingFolder) -> None:
        """Wait until a process that another server started exits; it may still be starting."""

    async def can_attach(self, training: TrainingRecord) -> bool:
        """Return whether a training of another machine still runs and can be followed from here."""

    async def terminate(self, training: TrainingRecord, grace_s: float, force_stop: asyncio.Event) -> bool:
        """Terminate the training's process; return whether there was one.

        It is killed after `grace_s` seconds, or when `force_stop` is set. A process on another server's
        machine is left to that server.
        """
