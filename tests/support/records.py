"""Training records in the form in which tests compare them."""

import dataclasses

from deepaas.model.json_encoding import RawJson, loads
from deepaas.trainings.record import TrainingRecord
from deepaas.trainings.store import TrainingStore


def get(store: TrainingStore, uuid: str) -> TrainingRecord | None:
    """Return a record with its JSON parsed, or None if there is none."""
    found = store.get(uuid)
    if found is None:
        return None
    large = {"arguments": found.arguments, "output": found.output}
    unread = {name: loads(kept.text) for name, kept in large.items() if isinstance(kept, RawJson)}
    return dataclasses.replace(found, **unread)
