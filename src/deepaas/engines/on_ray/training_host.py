"""What the actor of a training is: the training's process on a node, its folder and its record there.

It runs in the actor, which is detached so that it outlives the server, and must not import Ray.
"""

import asyncio
import contextlib
import dataclasses
import os
import platform
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from deepaas.engines.on_ray import placed
from deepaas.engines.on_ray.said import PIECE_BYTES
from deepaas.spawned import kill_group
from deepaas.trainings import memory
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.local import ended, spawn_training
from deepaas.trainings.outcome import Outcome
from deepaas.trainings.process import ProcessName
from deepaas.trainings.running import Ended
from deepaas.trainings.store import Store, sqlite_url
from deepaas.trainings.training import Training


class Seen(NamedTuple):
    """How a training stands: what its log and metrics have behind the offsets asked for, and its record.

    `ended` is there when its process is not any more.
    """

    log: bytes
    metrics: bytes
    record: Training
    ended: Ended | None

    @property
    def is_last(self) -> bool:
        """Say whether the process has ended and nothing more is to be read."""
        return self.ended is not None and max(len(self.log), len(self.metrics)) < PIECE_BYTES


class TrainingHost:
    """Holds the process of one training."""

    def __init__(self, uuid: str) -> None:
        self._root = tempfile.TemporaryDirectory(prefix="deepaas-training-")
        self._uuid = uuid
        self._folder = TrainingFolder(Path(self._root.name) / uuid)
        self._store = Store(sqlite_url(Path(self._root.name)))
        self._process: asyncio.subprocess.Process | None = None
        self._is_unwanted = False
        self._ended: Ended | None = None
        self._attending: asyncio.Task[None] | None = None

    async def add(self, name: str, piece: bytes) -> None:
        """Append a piece to a file that the training needs."""
        await asyncio.to_thread(placed.add, str(self._folder.path / name), piece)

    async def start(self, training: Training, folder: str) -> str:
        """Start the process, in the server's working directory if that is there; return Python's version."""
        with contextlib.suppress(OSError):
            os.chdir(folder)
        self._folder.make()
        await asyncio.to_thread(self._store.__enter__)
        await asyncio.to_thread(self._store.add, training)
        self._process = await spawn_training(self._uuid, self._folder, self._store.url, is_elsewhere=True)
        if self._is_unwanted:
            kill_group(self._process.pid)
        self._attending = asyncio.create_task(self._attend(self._process))
        return platform.python_version()

    async def see(self, log_offset: int, metrics_offset: int) -> Seen | None:
        """Return how the training stands; nothing when it was never started."""
        if self._process is None:
            return None
        has_ended = self._ended
        record = await asyncio.to_thread(self._store.get, self._uuid)
        assert record is not None
        outcome = await asyncio.to_thread(Outcome.read, self._folder) if has_ended else None
        if outcome and not record.state.is_end:
            record = dataclasses.replace(record, state=outcome.state, **outcome.values)
        log = await self.piece_at(str(self._folder.log), log_offset)
        metrics = await self.piece_at(str(self._folder.metrics), metrics_offset)
        return Seen(log, metrics, record, has_ended)

    async def environment(self, key: str) -> dict[str, Any]:
        """Return a set of packages that the record names."""
        return await asyncio.to_thread(self._store.environment, key)

    async def artifacts(self) -> list[tuple[str, str]]:
        """Return the name and the path of each file that the training left."""
        found = await asyncio.to_thread(self._folder.listing, hashed=False)
        return [(one["path"], str(self._folder.artifacts / one["path"])) for one in found]

    async def piece_at(self, path: str, offset: int) -> bytes:
        """Return a piece of a file; nothing at its end."""
        return await asyncio.to_thread(placed.piece_at, path, offset)

    async def end(self, grace_s: float) -> None:
        """Ask the process and all it started to end; kill them after `grace_s` seconds."""
        self._is_unwanted = True
        if self._process and self._ended is None:
            name = ProcessName.of(self._process.pid)
            if name:
                await name.end(grace_s, asyncio.Event())

    async def clear(self) -> None:
        """Remove all that is left here."""
        await asyncio.to_thread(self._store.__exit__)
        await asyncio.to_thread(self._root.cleanup)

    async def _attend(self, process: asyncio.subprocess.Process) -> None:
        kills_before = memory.kills()
        code = await process.wait()
        kill_group(process.pid)
        self._ended = ended(code, out_of_memory=code < 0 and memory.kills() > kills_before)
