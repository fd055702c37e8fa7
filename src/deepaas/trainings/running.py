"""What a runner of trainings needs of what runs their processes, wherever that is.

It must not know queues, nor what follows a training.
"""

import asyncio
from typing import NamedTuple, Protocol

from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.training import State, Training


class Ended(NamedTuple):
    """How a training's process ended, for a record that it has not ended itself."""

    message: str
    exit: str | None
    state: State = State.ERROR


class Running(Protocol):
    """Runs the processes of trainings."""

    async def run(self, training: Training, folder: TrainingFolder) -> Ended:
        """Run the job in the folder and return how its process ended; the record says the rest."""

    async def follow(self, training: Training, folder: TrainingFolder) -> None:
        """Wait for the end of a process that another server started, which may only just be starting."""

    async def is_known(self, training: Training) -> bool:
        """Say whether another machine's training can be followed from here, as it still runs."""

    async def end(self, training: Training, grace_s: float, hurry: asyncio.Event) -> bool:
        """End the training's process; say whether there was one to be ended.

        It has `grace_s` seconds to end by itself, unless there is `hurry`. One that another server's machine
        runs is left to that server.
        """
