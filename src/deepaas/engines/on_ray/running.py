"""Trainings on the cluster, as the server sees them: started, followed, found again, ended.

Each is held by a detached actor of its name. What it prints, reports and leaves is copied to its folder here,
and its record to the store, so that whoever reads those need not know where it runs.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray

from deepaas.engines.on_ray import carrying
from deepaas.engines.on_ray.cluster import NAMESPACE
from deepaas.engines.on_ray.said import PIECE_BYTES
from deepaas.engines.on_ray.training_host import Seen, TrainingHost
from deepaas.errors import StoreUnavailable
from deepaas.private import open_file
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.outcome import Outcome, reserve_room
from deepaas.trainings.records import Records
from deepaas.trainings.running import Ended
from deepaas.trainings.store import Store
from deepaas.trainings.training import State, Training

_LOOK_S = 0.4
_SILENT_S = 5.0
_LOST = Ended("lost: the Ray actor or node that ran the training is gone.", None, State.LOST)
_NOTED = ("progress", "eta_s", "metrics", "peak_memory_mb", "uploads", "environment")
_AT_END = ("finished", "output", "message", "traceback", "exit", "artifacts")


class RayRunning:
    """Runs trainings on nodes; `options` are those of their actors."""

    def __init__(self, store: Store, options: Mapping[str, Any]) -> None:
        self._store = store
        self._options = options
        self._placed: set[str] = set()

    async def run(self, training: Training, folder: TrainingFolder) -> Ended:
        """Run the job in the folder on a node with room for it, and bring here what it leaves."""
        uuid = training.uuid
        await asyncio.to_thread(reserve_room, folder)
        named = {"name": uuid, "namespace": NAMESPACE, "lifetime": "detached"}
        actor = ray.remote(TrainingHost).options(**self._options, **named).remote(uuid)
        try:
            for path in (folder.job, folder.secrets, *folder.uploads()):
                if path.exists():
                    await carrying.send(path, actor, path.name)
            self._placed.add(uuid)
            current = await Records(self._store).ask_patiently(self._store.get, uuid)
            await actor.start.remote(current, str(Path.cwd()))
            await asyncio.to_thread(folder.secrets.unlink, missing_ok=True)
            return await self._copy(actor, uuid, folder)
        except ray.exceptions.RayError:
            await _release(actor)
            return _LOST
        except Exception:
            # The record is about to end, whatever it was: nothing may go on there.
            await _release(actor)
            raise
        finally:
            self._placed.discard(uuid)

    async def follow(self, training: Training, folder: TrainingFolder) -> None:
        """Go on with a training that another server started, from where its copy here ends."""
        actor = _actor_of(training)
        if actor is None:
            return  # it is gone, and its runner says so
        try:
            await asyncio.to_thread(folder.make)  # it may have been another machine's
            self._placed.add(training.uuid)
            await self._copy(actor, training.uuid, folder)
        except ray.exceptions.RayError:
            await _release(actor)
        except Exception:
            await _release(actor)
            raise
        finally:
            self._placed.discard(training.uuid)

    async def is_known(self, training: Training) -> bool:
        """Say whether the training has an actor on the cluster, whichever server had it placed."""
        return await asyncio.to_thread(_actor_of, training) is not None

    async def end(self, training: Training, grace_s: float, hurry: asyncio.Event) -> bool:
        """End the training's process; say whether there was an actor that may hold one."""
        actor = _actor_of(training)
        if actor is None:
            return False
        if training.uuid not in self._placed:
            ray.kill(actor)  # it waits for room, or is another server's that is gone
            return True
        ending = asyncio.ensure_future(_ended(actor, grace_s))
        hurrying = asyncio.create_task(hurry.wait())
        await asyncio.wait(
            {ending, hurrying}, timeout=grace_s + _SILENT_S, return_when=asyncio.FIRST_COMPLETED
        )
        hurrying.cancel()
        if not ending.done() and not await _in_time(_ended(actor, 0)):
            ray.kill(actor)
        return True

    async def _copy(self, actor: Any, uuid: str, folder: TrainingFolder) -> Ended:
        """Copy what is new, again and again, until the process has ended and all has come."""
        noted: dict[str, Any] = {}
        while True:
            seen = await actor.see.remote(_size(folder.log), _size(folder.metrics))
            if seen is None:
                ray.kill(actor)
                return _LOST
            await asyncio.to_thread(_append, folder, seen)
            with contextlib.suppress(StoreUnavailable):  # the next look notes it
                noted |= await self._note(actor, uuid, seen.record, noted)
            if seen.is_last:
                break
            if max(len(seen.log), len(seen.metrics)) < PIECE_BYTES:
                await asyncio.sleep(_LOOK_S)
        for name, path in await actor.artifacts.remote():
            await carrying.bring(actor, path, folder.artifacts / name)
        await self._finish(actor, uuid, seen.record, folder)
        with contextlib.suppress(ray.exceptions.RayError):
            await actor.clear.remote()
        ray.kill(actor)
        ended: Ended = seen.ended
        return ended

    async def _note(
        self, actor: Any, uuid: str, record: Training, noted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Write to the store what has changed in the record; return that."""
        if record.started and "started" not in noted:
            change = self._store.change
            started = {"started": record.started}
            await asyncio.to_thread(change, uuid, State.RUNNING, only_from=State.STARTING, **started)
        values = {name: getattr(record, name) for name in ("started", *_NOTED)}
        changed = {
            name: value for name, value in values.items() if value is not None and noted.get(name) != value
        }
        if "environment" in changed:
            content = await actor.environment.remote(record.environment)
            await asyncio.to_thread(self._store.keep_environment, changed["environment"], content)
        if changed:
            await asyncio.to_thread(self._store.note, uuid, **changed)
        return changed

    async def _finish(self, actor: Any, uuid: str, record: Training, folder: TrainingFolder) -> None:
        """Write the end that the process has written; without one, the runner says what became of it."""
        if not record.state.is_end:
            return None
        values = {name: getattr(record, name) for name in (*_NOTED, *_AT_END)}
        values["artifacts"] = await asyncio.to_thread(folder.listing, hashed=True)
        known = {name: value for name, value in values.items() if value is not None}
        packages = await actor.environment.remote(record.environment) if record.environment else {}
        outcome = Outcome(record.state, known, packages)
        try:
            await asyncio.to_thread(outcome.write, folder)
        except OSError:  # the disk is full: the store alone can say it
            return await asyncio.to_thread(outcome.record, uuid, self._store, only_from=State.RUNNING)
        await asyncio.to_thread(folder.drop_inputs)
        with contextlib.suppress(StoreUnavailable):  # the runner records what is in the folder
            await asyncio.to_thread(outcome.record, uuid, self._store, only_from=State.RUNNING)
        return None


def _actor_of(training: Training) -> Any:
    try:
        return ray.get_actor(training.uuid, NAMESPACE)
    except ValueError:
        return None


def _append(folder: TrainingFolder, seen: Seen) -> None:
    for path, content in ((folder.log, seen.log), (folder.metrics, seen.metrics)):
        if content:
            with open_file(path, "ab") as file:
                file.write(content)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


async def _release(actor: Any) -> None:
    """End what an actor runs, if it still answers, and the actor."""
    await _in_time(_ended(actor, 0))
    with contextlib.suppress(ray.exceptions.RayError):
        ray.kill(actor)


async def _ended(actor: Any, grace_s: float) -> None:
    with contextlib.suppress(ray.exceptions.RayError):
        await actor.end.remote(grace_s)


async def _in_time(work: Any) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SILENT_S):
            await work
            return True
    return False
