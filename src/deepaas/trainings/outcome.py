"""The outcome of a training, written to its folder before the database.

If the database is unreachable, locked or full, the outcome is recorded later from the folder: by the
training's process, its server, or a server that starts later.
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
    """Final state of a training and final values of its record.

    `packages` is the content of the record's `environment`, in case it is not stored yet.
    """

    state: TrainingState
    values: dict[str, Any]
    packages: dict[str, Any]

    @classmethod
    def read(cls, folder: TrainingFolder) -> Self | None:
        """Return the outcome in a training's folder, or None."""
        try:
            state, values, packages = json_encoding.loads(folder.outcome.read_bytes())
            return cls(TrainingState(state), values, packages)
        except (OSError, ValueError):
            return None

    def write(self, folder: TrainingFolder) -> None:
        """Write the outcome to the folder, using the reserved disk space. Raise `OSError`."""
        folder.reserve.unlink(missing_ok=True)
        with atomic_write(folder.outcome, is_private=True) as file:
            file.write(json_encoding.dumps_jsonable([self.state.value, self.values, self.packages]))
            file.flush()
            os.fsync(file.fileno())

    def record(self, uuid: str, store: TrainingStore, *, only_from: TrainingState | None = None) -> None:
        """Write the outcome to the database, unless the training is final. Raise `StoreUnavailable`."""
        if self.packages and self.values.get("environment"):
            store.save_environment(self.values["environment"], self.packages)
        store.transition(uuid, self.state, only_from=only_from, **self.values)


def reserve_disk_space(folder: TrainingFolder) -> None:
    """Reserve disk space for the outcome, which must be written even when the disk is full."""
    with contextlib.suppress(OSError), open_file(folder.reserve, "wb") as file:
        file.write(bytes(_RESERVE_BYTES))
