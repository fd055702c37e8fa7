"""A training's folder: what lies where in it, and what the training left."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import platformdirs

from deepaas.atomic_files import compute_sha256
from deepaas.errors import ArtifactNotFound, SettingsError
from deepaas.log import get_logger
from deepaas.private_files import make_folders
from deepaas.reporting import METRICS_FILE

_log = get_logger(__name__)


def resolve_state_folder(configured_path: str) -> Path:
    """Return the folder of all trainings: the named one, or the user's.

    SettingsError: it cannot be written.
    """
    folder = Path(configured_path or platformdirs.user_state_path("deepaas")).absolute()
    try:
        make_folders(folder)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise SettingsError(
            f"The state folder {folder} cannot be written ({error.strerror}): name another with --state-dir."
        ) from error


class TrainingFolder:
    """The folder ``STATE/MODEL/UUID`` of one training."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.job = path / "job"
        self.unrecorded_job = path / "job.new"
        self.secrets = path / "secrets"
        self.log = path / "log"
        self.metrics = path / METRICS_FILE
        self.artifacts = path / "artifacts"
        self.outcome = path / "outcome.json"
        self.reserve = path / "reserve"

    @classmethod
    def for_training(cls, state_folder: Path, model: str, uuid: str) -> Self:
        """Return the folder of a model's training below the folder of all."""
        return cls(state_folder / quote(model, safe=" ") / uuid)

    def create(self) -> None:
        """Make the folder, and that of the artifacts."""
        make_folders(self.artifacts)

    def list_uploads(self) -> list[Path]:
        """Return the uploaded files of the arguments."""
        ours = {self.log, self.metrics, self.artifacts, self.outcome, self.reserve, *self._job_files()}
        if not self.path.is_dir():
            return []
        return sorted(path for path in self.path.iterdir() if path not in ours and path.is_file())

    def delete_inputs(self) -> None:
        """Remove what only the running training needed: the job, and uploads, which it may have moved.

        What the disk does not let go stays, and is logged: nothing else may wait for it.
        """
        for path in (*self._job_files(), self.reserve, *self.list_uploads()):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                name = f"{self.path.name}/{path.name}"  # this may be printed in the training's log
                _log.warning("%s is no longer needed and cannot be removed: %s", name, error.strerror)

    def _job_files(self) -> tuple[Path, ...]:
        return self.job, self.unrecorded_job, self.secrets

    def is_unrecorded(self) -> bool:
        """Return whether the training has not got as far as a record: nothing here is but its inputs."""
        made = (self.job, self.log, self.metrics, self.outcome)
        return not any(path.exists() for path in made) and not any(self._iter_artifact_files())

    def remove_if_empty(self) -> bool:
        """Remove the folder when the training left nothing in it; say whether it did."""
        with contextlib.suppress(OSError):
            self.artifacts.rmdir()
            self.path.rmdir()
            return True
        return False

    def list_artifacts(self, *, hashed: bool) -> list[dict[str, Any]]:
        """Return path, size in bytes and, if wanted, SHA-256 of each artifact.

        A file that goes meanwhile is left out; one that cannot be read has no SHA-256.
        """
        found = (
            _describe_artifact(path, self.artifacts, hashed=hashed) for path in self._iter_artifact_files()
        )
        return [described for described in found if described]

    def find_artifact(self, name: str) -> Path:
        """Return the file of an artifact. Raise `ArtifactNotFound`, also for what lies outside the folder."""
        root = self.artifacts.resolve()
        try:
            path = (root / name).resolve()
            if path.is_relative_to(root) and path.is_file():
                return path
        except (OSError, ValueError):
            pass  # a name that no file can have
        raise ArtifactNotFound(f"The training left no artifact '{name}'.")

    def _iter_artifact_files(self) -> Iterator[Path]:
        if self.artifacts.is_dir():
            files = [Path(folder, name) for folder, _, names in os.walk(self.artifacts) for name in names]
            yield from sorted(path for path in files if path.is_file() and not path.is_symlink())


def _describe_artifact(path: Path, root: Path, *, hashed: bool) -> dict[str, Any]:
    described: dict[str, Any] = {}
    with contextlib.suppress(OSError):
        described = {"path": path.relative_to(root).as_posix(), "size": path.stat().st_size}
        if hashed:
            described["sha256"] = compute_sha256(path)
    return described if path.exists() else {}
