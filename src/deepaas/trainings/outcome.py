"""How a training ended, written to its folder before the database is told.

The database may be away, locked or full at that moment. The outcome in the folder is then recorded by the
first that can: the training's process, the server, or a server that starts later.
"""

import contextlib
import os
from typing import Any, NamedTuple, Self

from deepaas.atomic_files import atomic_write
from deepaas.model import json_encoding
from deepaas.private_files import open_file
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.record import TrainingState
from deepaas.trainings.store import TrainingStore

_RESERVE_BYTES = 1 << 16


class Outcome(NamedTuple):
    """The end of a training: its last state and the values of its record.

    `packages` is the content of the record's `environment`, if that could not be recorded before.
    """

    state: TrainingState
    values: dict[str, Any]
    packages: dict[str, Any]

    @classmethod
    def read(cls, folder: TrainingFolder) -> Self | None:
        """Return the outcome in a training's folder, if there is one."""
        try:
            state, values, packages = json_encoding.loads(folder.outcome.read_bytes())
            return cls(TrainingState(state), values, packages)
        except (OSError, ValueError):
            return None

    def write(self, folder: TrainingFolder) -> None:
        """Write the outcome to the folder, in the room that was kept for it. Raise `OSError`."""
        folder.reserve.unlink(missing_ok=True)
        with atomic_write(folder.outcome, is_private=True) as file:
            file.write(json_encoding.dumps_jsonable([self.state.value, self.values, self.packages]))
            file.flush()
            os.fsync(file.fileno())

    def record(self, uuid: str, store: TrainingStore, *, only_from: TrainingState | None = None) -> None:
        """Write the outcome to the record, unless the training has ended. Raise `StoreUnavailable`."""
        if self.packages and self.values.get("environment"):
            store.save_environment(self.values["environment"], self.packages)
        store.transition(uuid, self.state, only_from=only_from, **self.values)


def reserve_disk_space(folder: TrainingFolder) -> None:
    """Keep some room on the disk for the outcome, which must be written also when the disk is full."""
    with contextlib.suppress(OSError), open_file(folder.reserve, "wb") as file:
        file.write(bytes(_RESERVE_BYTES))
