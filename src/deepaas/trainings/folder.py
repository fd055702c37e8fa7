"""A training's folder: its files and artifacts."""

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
    """Return the configured folder for all trainings, or the user's default, and create it.

    SettingsError: it is not writable.
    """
    try:
        folder = Path(configured_path or platformdirs.user_state_path("deepaas")).absolute()
    except RuntimeError as error:
        raise SettingsError("The user has no home folder: name a state folder with --state-dir.") from error
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
        """Return the folder of a training. The model's name is percent-encoded."""
        return cls(state_folder / quote(model, safe=" ") / uuid)

    def create(self) -> None:
        """Create the folder and its folder of artifacts."""
        make_folders(self.artifacts)

    def list_uploads(self) -> list[Path]:
        """Return the uploaded files: all files without another role."""
        other = {self.log, self.metrics, self.artifacts, self.outcome, self.reserve, *self._job_files()}
        if not self.path.is_dir():
            return []
        return sorted(path for path in self.path.iterdir() if path not in other and path.is_file())

    def delete_inputs(self) -> None:
        """Delete files that only the running training needed: job, disk reserve and uploads.

        Errors are logged and ignored, since the outcome must still be recorded.
        """
        for path in (*self._job_files(), self.reserve, *self.list_uploads()):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                name = f"{self.path.name}/{path.name}"  # clients can read the training's log
                _log.warning("Could not delete %s, which is no longer needed: %s", name, error.strerror)

    def _job_files(self) -> tuple[Path, ...]:
        return self.job, self.unrecorded_job, self.secrets

    def is_unrecorded(self) -> bool:
        """Return whether the training never got a record: the folder has only its inputs."""
        made = (self.job, self.log, self.metrics, self.outcome)
        return not any(path.exists() for path in made) and not any(self._iter_artifact_files())

    def remove_if_empty(self) -> bool:
        """Delete the folder if it is empty; return whether it was."""
        with contextlib.suppress(OSError):
            self.artifacts.rmdir()
            self.path.rmdir()
            return True
        return False

    def list_artifacts(self, *, hashed: bool) -> list[dict[str, Any]]:
        """Return path, size in bytes and, if wanted, SHA-256 of each artifact.

        A file deleted during the listing is left out; an unreadable one has no SHA-256.
        """
        found = (
            _describe_artifact(path, self.artifacts, hashed=hashed) for path in self._iter_artifact_files()
        )
        return [described for described in found if described]

    def find_artifact(self, name: str) -> Path:
        """Return an artifact's file. Raise `ArtifactNotFound`, also for paths outside the folder."""
        root = self.artifacts.resolve()
        try:
            path = (root / name).resolve()
            if path.is_relative_to(root) and path.is_file():
                return path
        except (OSError, ValueError):
            pass  # not a valid file name
        raise ArtifactNotFound(f"The training has no artifact '{name}'.")

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
