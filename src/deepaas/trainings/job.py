"""The job of a training's process, as files in the training's folder."""

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from deepaas.messages import WorkerConfig, encode, encode_frame
from deepaas.private_files import open_file
from deepaas.trainings.folder import TrainingFolder

_SECRETS_VARIABLE = "DEEPAAS_TRAINING_SECRETS"


class Job(NamedTuple):
    """Messages to a training's process: its configuration and the encoded call of `train`.

    A call with a password is written to a separate file, which the process deletes after reading it.
    """

    start: WorkerConfig
    call: bytes
    has_password: bool

    def write(self, folder: TrainingFolder) -> None:
        """Write the job of a training that has no record yet. Raise `OSError`."""
        folder.create()
        start, call = encode_frame(encode(self.start)), encode_frame(self.call)
        if self.has_password:
            with open_file(folder.secrets, "wb") as file:
                file.write(call)
            call = b""
        with open_file(folder.unrecorded_job, "wb") as file:
            file.write(start + call)


def mark_recorded(folder: TrainingFolder) -> None:
    """Rename the job, so that its name shows that the training has a record. Raise `OSError`."""
    with contextlib.suppress(FileNotFoundError):
        folder.unrecorded_job.rename(folder.job)


def consume_secrets(folder: TrainingFolder) -> bytes:
    """Return the call with a password, and delete its file.

    Processes that libraries start with the same command line, as for DDP, read it from this process: only the
    same user can read its open file, while the process runs.
    """
    content = folder.secrets.read_bytes()
    descriptor = os.open(folder.secrets, os.O_RDONLY)
    os.environ[_SECRETS_VARIABLE] = f"/proc/{os.getpid()}/fd/{descriptor}"
    with contextlib.suppress(OSError):  # delete_inputs() tries again
        folder.secrets.unlink()
    return content


def read_shared_secrets() -> bytes:
    """Return the call with a password, in a process that the training's own process started."""
    return Path(os.environ[_SECRETS_VARIABLE]).read_bytes()
