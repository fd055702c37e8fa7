"""Removes folders of trainings that have no record.

A server that starts removes them. Several servers, with several stores, may share the state folder; so a
folder goes only if no store can have a record of it, and never with what a training made. A missing record
alone proves nothing: the store may be a new one, after a damaged one was moved away.
"""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from deepaas.log import get_logger
from deepaas.private_files import restrict_to_owner
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.store import TrainingStore

_UUID = re.compile(r"[0-9a-f]{32}")
_MIN_AGE_S = 3600.0
_log = get_logger(__name__)


def delete_orphaned_folders(state_folder: Path, store: TrainingStore) -> None:
    """Remove the folders below `state` whose training never got a record and that are older than an hour.

    Raise `StoreUnavailable`.
    """
    # The records are read after the folders: a training that starts meanwhile has one.
    found = list(_iter_training_folders(state_folder))
    for models_folder in {folder.path.parent for folder in found}:
        restrict_to_owner(models_folder)  # an older version may have made it
    known = store.list_uuids() if found else set()
    unknown = [folder for folder in found if folder.path.name not in known]
    for folder in unknown:
        if folder.is_unrecorded() and _is_old(folder.path):
            _delete(folder.path)
    kept = [folder.path for folder in unknown if folder.path.exists() and not folder.is_unrecorded()]
    if kept:
        _log.info(
            "%d folders, such as %s, belong to trainings that this store has no record of; they are left",
            len(kept),
            kept[0],
        )


def _iter_training_folders(state_folder: Path) -> Iterator[TrainingFolder]:
    for path in state_folder.glob("*/*"):
        if _UUID.fullmatch(path.name) and path.is_dir():
            yield TrainingFolder(path)


def _is_old(folder: Path) -> bool:
    """Return whether the folder, and all in it, was last changed long ago."""
    try:
        changed = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    except OSError:
        return False  # somebody is changing it now
    return time.time() - changed > _MIN_AGE_S


def _delete(path: Path) -> None:
    try:
        shutil.rmtree(path)
    except OSError as error:
        _log.warning("%s, which a start that failed left, cannot be removed: %s", path, error.strerror)
    else:
        _log.info("Removed %s, which a start that failed left", path)
