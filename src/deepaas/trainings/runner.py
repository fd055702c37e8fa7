"""Running trainings: the queue, a process for each, cancelling, and adopting what another server left.

It must not know HTTP.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote

from deepaas.errors import TrainingNotFound
from deepaas.messages import Start, encode, frame
from deepaas.spawn import exit_reason, kill_group, spawn
from deepaas.trainings.child import JOB
from deepaas.trainings.process import ProcessName
from deepaas.trainings.store import Store
from deepaas.trainings.training import State, Training

LOG = "log"
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Runner:
    """The trainings of one server.

    Use it as an asynchronous context manager: entering opens the store and adopts trainings whose server is
    gone; leaving cancels what runs.
    """

    def __init__(self, store: Store, folder: Path, *, at_a_time: int, cancel_grace_s: float) -> None:
        self._store = store
        self._folder = folder
        self._lane = asyncio.Semaphore(at_a_time)
        self._cancel_grace_s = cancel_grace_s
        self._own_name = ProcessName.own()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._store.__enter__)
        await self._adopt()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*map(self._end, list(self._tasks)))
        self._store.__exit__()

    def folder(self, model: str, uuid: str) -> Path:
        """Return the folder of a training."""
        return self._folder / quote(model, safe=" ") / uuid

    async def submit(self, uuid: str, start: Start, call: bytes, shown: dict[str, Any]) -> Training:
        """Keep a new training and run it when its turn comes.

        `call` is encoded; `shown` is what the record shows of its arguments.
        """
        job = frame(encode(start)) + frame(call)
        folder = self.folder(start.name, uuid)
        await asyncio.to_thread(_write_job, folder, job)
        training = Training(
            uuid=uuid,
            model=start.name,
            created=time.time(),
            arguments=shown,
            server=str(self._own_name),
            host=self._own_name.host,
        )
        await self._stored(self._store.add, training)
        self._begin(training, self._run(training))
        return training

    async def list(self, model: str) -> list[Training]:
        """Return all trainings of a model, oldest first."""
        return await self._stored(self._store.of_model, model)

    async def get(self, model: str, uuid: str) -> Training:
        """Return a training of a model. Raise `TrainingNotFound`."""
        training = await self._stored(self._store.get, uuid)
        if training is None or training.model != model:
            raise TrainingNotFound(f"The model '{model}' has no training '{uuid}'.")
        return training

    async def cancel(self, model: str, uuid: str) -> Training:
        """Cancel a training and return its record; one that has come to an end stays as it is."""
        await self.get(model, uuid)
        await self._end(uuid)
        return await self.get(model, uuid)

    def _begin(self, training: Training, coroutine: Any) -> None:
        task = asyncio.create_task(coroutine, name=f"training {training.uuid}")
        self._tasks[training.uuid] = task
        task.add_done_callback(lambda _: self._tasks.pop(training.uuid, None))

    async def _run(self, training: Training) -> None:
        """Wait for a place, then for the training's process."""
        async with self._lane:
            own = str(self._own_name)
            if not await self._change(training.uuid, State.STARTING, only_from=State.QUEUED, server=own):
                return
            folder = self.folder(training.model, training.uuid)
            with (folder / LOG).open("ab") as output:
                arguments = (training.uuid, str(folder), self._store.url)
                process = await spawn("deepaas.trainings.child", *arguments, lifeline=False, output=output)
            reason = exit_reason(await process.wait())
            kill_group(process.pid)
            await self._finish(training.uuid, State.ERROR, f"The training's process {reason}.", exit=reason)

    async def _adopt(self) -> None:
        """Take over the trainings of servers that are gone."""
        for training in await self._stored(self._store.unfinished):
            if ProcessName.parse(training.server).is_alive():
                continue
            _log.info("Adopting the training %s of %s", training.uuid, training.model)
            if training.state is State.QUEUED:
                self._begin(training, self._run(training))
            else:
                self._begin(training, self._watch(training))

    async def _watch(self, training: Training) -> None:
        """Wait for the end of a process that another server started."""
        await self._change(training.uuid, training.state, server=str(self._own_name))
        process = _process_of(training)
        if process:
            async with self._lane:
                await process.gone()
            kill_group(process.pid)
        message = "lost: the training's process vanished while no server was watching."
        await self._finish(training.uuid, State.LOST, message)

    async def _finish(self, uuid: str, state: State, message: str, **values: Any) -> None:
        """Write the end of a training whose process has ended without writing it."""
        now = time.time()
        if await self._change(uuid, State.CANCELLED, only_from=State.CANCELLING, finished=now):
            return
        await self._change(uuid, state, message=message, finished=now, **values)

    async def _end(self, uuid: str) -> None:
        """Cancel a training, whatever state it is in, and wait until it has ended."""
        if await self._change(uuid, State.CANCELLED, only_from=State.QUEUED, finished=time.time()):
            return
        if not await self._change(uuid, State.CANCELLING):
            return
        training = await self._stored(self._store.get, uuid)
        process = _process_of(training) if training else None
        if process:
            await process.end(self._cancel_grace_s)
        task = self._tasks.get(uuid)
        if task:
            await asyncio.wait([task])
        await self._change(uuid, State.CANCELLED, finished=time.time())

    async def _change(self, uuid: str, state: State, **values: Any) -> bool:
        return await self._stored(self._store.change, uuid, state, **values)

    async def _stored(self, method: Callable[..., _T], *arguments: Any, **values: Any) -> _T:
        """Call the store, which may have to wait for a disk or a network, outside the loop."""
        return await asyncio.to_thread(method, *arguments, **values)


def _process_of(training: Training) -> ProcessName | None:
    if training.pid is None or training.pid_started is None:
        return None
    return ProcessName(training.host, training.pid, training.pid_started)


def _write_job(folder: Path, job: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JOB).write_bytes(job)
