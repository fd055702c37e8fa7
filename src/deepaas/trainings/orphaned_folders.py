"""Deletes folders of trainings that never got a record.

Servers with different databases may share the state folder, and a database may be new after a damaged one was
moved away. So a missing record is not enough: a folder with output of a training is never deleted.
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
    """Delete folders below `state_folder` whose training never got a record, if older than an hour.

    Raise `StoreUnavailable`.
    """
    # Read the records after the folders, so that a training submitted in between has a record.
    found = list(_iter_training_folders(state_folder))
    for models_folder in {folder.path.parent for folder in found}:
        restrict_to_owner(models_folder)  # older versions created it less private
    known = store.list_uuids() if found else set()
    unknown = [folder for folder in found if folder.path.name not in known]
    for folder in unknown:
        if folder.is_unrecorded() and _is_old(folder.path):
            _delete(folder.path)
    kept = [folder.path for folder in unknown if folder.path.exists() and not folder.is_unrecorded()]
    if kept:
        _log.info(
            "Keeping %d folders of trainings without a record in this database, for example %s",
            len(kept),
            kept[0],
        )


def _iter_training_folders(state_folder: Path) -> Iterator[TrainingFolder]:
    for path in state_folder.glob("*/*"):
        if _UUID.fullmatch(path.name) and path.is_dir():
            yield TrainingFolder(path)


def _is_old(folder: Path) -> bool:
    """Return whether the last change of the folder and its content is long ago."""
    try:
        changed = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    except OSError:
        return False  # it is changing now
    return time.time() - changed > _MIN_AGE_S


def _delete(path: Path) -> None:
    try:
        shutil.rmtree(path)
    except OSError as error:
        _log.warning("Could not delete %s, left by a failed start of a training: %s", path, error.strerror)
    else:
        _log.info("Deleted %s, left by a failed start of a training", path)
