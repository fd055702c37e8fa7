"""Runs trainings in detached Ray actors, named by the training's id.

Output, metrics and artifacts are copied to the training's folder on the server, its record to the store, so
readers need not know where a training runs.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray

from deepaas.engines.ray import file_transfer
from deepaas.engines.ray.cluster import NAMESPACE
from deepaas.engines.ray.training_actor import TrainingActor, TrainingUpdate
from deepaas.engines.ray.wire import CHUNK_BYTES
from deepaas.errors import StoreUnavailable
from deepaas.private_files import open_file
from deepaas.trainings.executor import TrainingExit
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.outcome import Outcome, reserve_disk_space
from deepaas.trainings.record import TrainingRecord, TrainingState
from deepaas.trainings.repository import TrainingRepository
from deepaas.trainings.store import TrainingStore

_POLL_INTERVAL_S = 0.4
_RESPONSE_TIMEOUT_S = 5.0
_LOST_EXIT = TrainingExit(
    "lost: the Ray actor or node that ran the training is gone.", None, TrainingState.LOST
)
_UPDATED_FIELDS = ("progress", "eta_s", "metrics", "peak_memory_mb", "uploads", "environment")
_FINAL_FIELDS = ("finished", "output", "message", "traceback", "exit", "artifacts")


class RayExecutor:
    """Runs trainings on the nodes of a cluster; `options` are the options of their actors."""

    def __init__(self, store: TrainingStore, options: Mapping[str, Any]) -> None:
        self._store = store
        self._options = options
        self._attached: set[str] = set()

    async def run(self, training: TrainingRecord, folder: TrainingFolder) -> TrainingExit:
        """Run the folder's job on a node with enough resources; copy its output and artifacts here."""
        uuid = training.uuid
        await asyncio.to_thread(reserve_disk_space, folder)
        named = {"name": uuid, "namespace": NAMESPACE, "lifetime": "detached"}
        actor = ray.remote(TrainingActor).options(**self._options, **named).remote(uuid)
        try:
            for path in (folder.job, folder.secrets, *folder.list_uploads()):
                if path.exists():
                    await file_transfer.upload(path, actor, path.name)
            self._attached.add(uuid)
            current = await TrainingRepository(self._store).run_with_retries(self._store.get, uuid)
            await actor.start.remote(current, str(Path.cwd()))
            await asyncio.to_thread(folder.secrets.unlink, missing_ok=True)
            return await self._copy_until_exit(actor, uuid, folder)
        except ray.exceptions.RayError:
            await _terminate_actor(actor)
            return _LOST_EXIT
        except Exception:
            # After any error the training's record becomes final, so its process must not keep running.
            await _terminate_actor(actor)
            raise
        finally:
            self._attached.discard(uuid)

    async def attach(self, training: TrainingRecord, folder: TrainingFolder) -> None:
        """Take over a training that another server started; continue copying where the local files end."""
        actor = _find_actor(training)
        if actor is None:
            return  # the scheduler records the loss
        try:
            await asyncio.to_thread(folder.create)  # another machine may have started it
            self._attached.add(training.uuid)
            await self._copy_until_exit(actor, training.uuid, folder)
        except ray.exceptions.RayError:
            await _terminate_actor(actor)
        except Exception:
            await _terminate_actor(actor)
            raise
        finally:
            self._attached.discard(training.uuid)

    async def can_attach(self, training: TrainingRecord) -> bool:
        """Return whether the training has an actor on the cluster, created by any server."""
        return await asyncio.to_thread(_find_actor, training) is not None

    async def terminate(self, training: TrainingRecord, grace_s: float, force_stop: asyncio.Event) -> bool:
        """Terminate the training's process; return whether there was an actor."""
        actor = _find_actor(training)
        if actor is None:
            return False
        if training.uuid not in self._attached:
            ray.kill(actor)  # not placed yet, or created by a server that is gone
            return True
        ending = asyncio.ensure_future(_terminate_process(actor, grace_s))
        hurrying = asyncio.create_task(force_stop.wait())
        await asyncio.wait(
            {ending, hurrying}, timeout=grace_s + _RESPONSE_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        hurrying.cancel()
        if not ending.done() and not await _completes_in_time(_terminate_process(actor, 0)):
            ray.kill(actor)
        return True

    async def _copy_until_exit(self, actor: Any, uuid: str, folder: TrainingFolder) -> TrainingExit:
        """Poll the actor and copy new output until the process has exited, then copy the artifacts."""
        recorded: dict[str, Any] = {}
        while True:
            seen = await actor.poll.remote(_file_size(folder.log), _file_size(folder.metrics))
            if seen is None:
                ray.kill(actor)
                return _LOST_EXIT
            await asyncio.to_thread(_append_output, folder, seen)
            with contextlib.suppress(StoreUnavailable):  # the next poll retries
                recorded |= await self._update_store(actor, uuid, seen.record, recorded)
            if seen.is_last:
                break
            if max(len(seen.log), len(seen.metrics)) < CHUNK_BYTES:
                await asyncio.sleep(_POLL_INTERVAL_S)
        for name, path in await actor.list_artifacts.remote():
            await file_transfer.download(actor, path, folder.artifacts / name)
        await self._record_outcome(actor, uuid, seen.record, folder)
        with contextlib.suppress(ray.exceptions.RayError):
            await actor.clean_up.remote()
        ray.kill(actor)
        process_exit: TrainingExit = seen.process_exit
        return process_exit

    async def _update_store(
        self, actor: Any, uuid: str, record: TrainingRecord, sent: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Write the changed fields of the record to the store, and return them."""
        if record.started and "started" not in sent:
            change = self._store.transition
            started = {"started": record.started}
            await asyncio.to_thread(
                change, uuid, TrainingState.RUNNING, only_from=TrainingState.STARTING, **started
            )
        values = {name: getattr(record, name) for name in ("started", *_UPDATED_FIELDS)}
        changed = {
            name: value for name, value in values.items() if value is not None and sent.get(name) != value
        }
        if "environment" in changed:
            content = await actor.get_environment.remote(record.environment)
            await asyncio.to_thread(self._store.save_environment, changed["environment"], content)
        if changed:
            await asyncio.to_thread(self._store.update, uuid, **changed)
        return changed

    async def _record_outcome(
        self, actor: Any, uuid: str, record: TrainingRecord, folder: TrainingFolder
    ) -> None:
        """Record the outcome that the process has written; without one, the scheduler records the exit."""
        if not record.state.is_final:
            return None
        values = {name: getattr(record, name) for name in (*_UPDATED_FIELDS, *_FINAL_FIELDS)}
        values["artifacts"] = await asyncio.to_thread(folder.list_artifacts, hashed=True)
        known = {name: value for name, value in values.items() if value is not None}
        packages = await actor.get_environment.remote(record.environment) if record.environment else {}
        outcome = Outcome(record.state, known, packages)
        try:
            await asyncio.to_thread(outcome.write, folder)
        except OSError:  # the disk is full: record it in the store only
            return await asyncio.to_thread(outcome.record, uuid, self._store, only_from=TrainingState.RUNNING)
        await asyncio.to_thread(folder.delete_inputs)
        with contextlib.suppress(StoreUnavailable):  # the scheduler records the outcome from the folder
            await asyncio.to_thread(outcome.record, uuid, self._store, only_from=TrainingState.RUNNING)
        return None


def _find_actor(training: TrainingRecord) -> Any:
    try:
        return ray.get_actor(training.uuid, NAMESPACE)
    except ValueError:
        return None


def _append_output(folder: TrainingFolder, update: TrainingUpdate) -> None:
    for path, content in ((folder.log, update.log), (folder.metrics, update.metrics)):
        if content:
            with open_file(path, "ab") as file:
                file.write(content)


def _file_size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


async def _terminate_actor(actor: Any) -> None:
    """Terminate the actor's process, if the actor responds, then kill the actor."""
    await _completes_in_time(_terminate_process(actor, 0))
    with contextlib.suppress(ray.exceptions.RayError):
        ray.kill(actor)


async def _terminate_process(actor: Any, grace_s: float) -> None:
    with contextlib.suppress(ray.exceptions.RayError):
        await actor.terminate.remote(grace_s)


async def _completes_in_time(work: Any) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_RESPONSE_TIMEOUT_S):
            await work
            return True
    return False
