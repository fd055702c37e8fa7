"""Records of trainings as tests compare them."""

import dataclasses

from deepaas.model.jsonable import UnreadJson, loads
from deepaas.trainings.store import Store
from deepaas.trainings.training import Training


def get(store: Store, uuid: str) -> Training | None:
    """Return a record with the JSON in it read, or None where there is no such record."""
    found = store.get(uuid)
    if found is None:
        return None
    large = {"arguments": found.arguments, "output": found.output}
    unread = {name: loads(kept.text) for name, kept in large.items() if isinstance(kept, UnreadJson)}
    return dataclasses.replace(found, **unread)
