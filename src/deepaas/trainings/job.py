"""What a training's process is to do, as files of the training's folder."""

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from deepaas.messages import WorkerConfig, encode, encode_frame
from deepaas.private_files import open_file
from deepaas.trainings.folder import TrainingFolder

_SECRETS_VARIABLE = "DEEPAAS_TRAINING_SECRETS"


class Job(NamedTuple):
    """The messages to a training's process: how to start, and the call of `train`, which is encoded.

    A call with a password has a file of its own, which is there until the process has read it.
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
    """Let the name of the job say that the training has a record. Raise `OSError`."""
    with contextlib.suppress(FileNotFoundError):
        folder.unrecorded_job.rename(folder.job)


def consume_secrets(folder: TrainingFolder) -> bytes:
    """Return the call with a password, and remove its file.

    Processes with the same command line, which libraries start for DDP, read it from this process: an open
    file stays readable there, by the same user alone, for as long as the process runs.
    """
    content = folder.secrets.read_bytes()
    descriptor = os.open(folder.secrets, os.O_RDONLY)
    os.environ[_SECRETS_VARIABLE] = f"/proc/{os.getpid()}/fd/{descriptor}"
    with contextlib.suppress(OSError):  # what cannot be removed now goes at the training's end
        folder.secrets.unlink()
    return content


def read_shared_secrets() -> bytes:
    """Return the call with a password in a process that the training's own process has started."""
    return Path(os.environ[_SECRETS_VARIABLE]).read_bytes()
