"""The Ray actor that holds a training's process; detached, so that it outlives the server.

This module must not import Ray.
"""

import asyncio
import contextlib
import dataclasses
import os
import platform
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from deepaas.child_setup import kill_process_group
from deepaas.engines.ray import file_transfer
from deepaas.engines.ray.wire import CHUNK_BYTES
from deepaas.trainings import oom
from deepaas.trainings.executor import TrainingExit
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.local_executor import spawn_training, to_training_exit
from deepaas.trainings.outcome import Outcome
from deepaas.trainings.process_id import ProcessId
from deepaas.trainings.record import TrainingRecord
from deepaas.trainings.store import TrainingStore, sqlite_url


class TrainingUpdate(NamedTuple):
    """State of a training: new bytes of its log and metrics, its record, and its exit once it has exited."""

    log: bytes
    metrics: bytes
    record: TrainingRecord
    process_exit: TrainingExit | None

    @property
    def is_last(self) -> bool:
        """Whether the process has exited and its log and metrics are read to the end."""
        return self.process_exit is not None and max(len(self.log), len(self.metrics)) < CHUNK_BYTES


class TrainingActor:
    """Runs the process of one training, and gives the server access to its files."""

    def __init__(self, uuid: str) -> None:
        self._root = tempfile.TemporaryDirectory(prefix="deepaas-training-")
        self._uuid = uuid
        self._folder = TrainingFolder(Path(self._root.name) / uuid)
        self._store = TrainingStore(sqlite_url(Path(self._root.name)))
        self._process: asyncio.subprocess.Process | None = None
        self._is_terminated = False
        self._process_exit: TrainingExit | None = None
        self._watch_task: asyncio.Task[None] | None = None

    async def append_chunk(self, name: str, chunk: bytes) -> None:
        """Append a chunk to an input file of the training."""
        await asyncio.to_thread(file_transfer.append_chunk, str(self._folder.path / name), chunk)

    async def start(self, training: TrainingRecord, folder: str) -> str:
        """Start the process and return the Python version.

        It runs in `folder`, the server's working directory, if that exists on this node.
        """
        with contextlib.suppress(OSError):
            os.chdir(folder)
        self._folder.create()
        await asyncio.to_thread(self._store.__enter__)
        await asyncio.to_thread(self._store.add, training)
        self._process = await spawn_training(self._uuid, self._folder, self._store, is_remote=True)
        if self._is_terminated:
            kill_process_group(self._process.pid)
        self._watch_task = asyncio.create_task(self._watch_exit(self._process))
        return platform.python_version()

    async def poll(self, log_offset: int, metrics_offset: int) -> TrainingUpdate | None:
        """Return the state with the log and metrics after the offsets; `None` if it was never started."""
        if self._process is None:
            return None
        has_ended = self._process_exit
        record = await asyncio.to_thread(self._store.get, self._uuid)
        assert record is not None
        outcome = await asyncio.to_thread(Outcome.read, self._folder) if has_ended else None
        if outcome and not record.state.is_final:
            record = dataclasses.replace(record, state=outcome.state, **outcome.values)
        log = await self.read_chunk(str(self._folder.log), log_offset)
        metrics = await self.read_chunk(str(self._folder.metrics), metrics_offset)
        return TrainingUpdate(log, metrics, record, has_ended)

    async def get_environment(self, key: str) -> dict[str, Any]:
        """Return the recorded packages with that key."""
        return await asyncio.to_thread(self._store.get_environment, key)

    async def list_artifacts(self) -> list[tuple[str, str]]:
        """Return the name and the path on this node of each artifact."""
        found = await asyncio.to_thread(self._folder.list_artifacts, hashed=False)
        return [(one["path"], str(self._folder.artifacts / one["path"])) for one in found]

    async def read_chunk(self, path: str, offset: int) -> bytes:
        """Return a chunk of a file; empty at its end."""
        return await asyncio.to_thread(file_transfer.read_chunk, path, offset)

    async def terminate(self, grace_s: float) -> None:
        """Terminate the process and its children; kill them after `grace_s` seconds."""
        self._is_terminated = True
        if self._process and self._process_exit is None:
            name = ProcessId.of_pid(self._process.pid)
            if name:
                await name.terminate(grace_s, asyncio.Event())

    async def clean_up(self) -> None:
        """Close the database and delete the training's folder on this node."""
        await asyncio.to_thread(self._store.__exit__)
        await asyncio.to_thread(self._root.cleanup)

    async def _watch_exit(self, process: asyncio.subprocess.Process) -> None:
        kills_before = oom.oom_kill_count()
        code = await process.wait()
        kill_process_group(process.pid)
        self._process_exit = to_training_exit(
            code, out_of_memory=code < 0 and oom.oom_kill_count() > kills_before
        )
