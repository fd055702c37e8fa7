"""Ray actors that are lost, silent or late at one precise moment: effects on calls, workers and trainings."""

import asyncio
import gc
import platform
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from deepaas.config.settings import WorkerRange
from deepaas.engines.ray.cluster import actor_options
from deepaas.engines.ray.training_actor import TrainingActor
from deepaas.engines.ray.training_executor import RayExecutor
from deepaas.engines.ray.wire import WorkerUpdate
from deepaas.engines.ray.worker_process import RayProcess
from deepaas.messages import Body, Call, Chunk, Message, Ready, Reply, encode, encode_frame
from deepaas.metrics import Metrics
from deepaas.scratch import ScratchFolder
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.record import TrainingRecord, TrainingState
from deepaas.trainings.store import TrainingStore, sqlite_url
from deepaas.workers.call_monitor import CallMonitor
from deepaas.workers.call_queue import PendingCall
from deepaas.workers.pool import Pool
from deepaas.workers.pool_config import PoolConfig
from deepaas.workers.result_stream import ResultStream
from deepaas.workers.supervisor import SupervisorCallbacks, WorkerSupervisor
from deepaas.workers.worker import Worker
from support.calls import START, encoded
from support.fake_ray import Actor, FakeRay, actor_died, actor_unavailable, resolve
from support.machine import limit_s
from support.server import Gate

CreateActors = Callable[..., None]
OPTIONS = actor_options(0.01, 0)
LIMITS = PoolConfig(
    workers=WorkerRange(1, 1),
    scale_down_after_s=60,
    max_batch_size=1,
    batch_timeout_s=0,
    start_timeout_s=0,
    predict_timeout_s=0,
    max_queue=10,
    cancel_on_disconnect=False,
)
PLACED = ("127.0.0.1", platform.python_version())
IN_A_FILE = Reply(Body("text/plain", b"", "/on/the/node/result"), 0.0, 0.0)
MORE_THAN_A_WINDOW = Chunk("text/plain", bytes(300_000), 0.0)
TRAINING = TrainingRecord(uuid="a" * 32, model="told", created=0.0, arguments={})
SILENCE_S = 7.0
HANGS_S = limit_s(60)
TURNS = 20


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine with a timeout; fail if a task raises unnoticed."""

    async def watched() -> None:
        complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
        async with asyncio.timeout(HANGS_S):
            await work
        gc.collect()  # garbage collection reports errors of tasks that nobody awaited
        assert complaints == []

    asyncio.run(watched())


async def run_loop() -> None:
    """Let the loop run everything that does not wait for an actor."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


def make_update(number: int, *messages: tuple[int, Message], started: int = 0) -> WorkerUpdate:
    """Return an actor's update with messages of its process, each with the number of its call."""
    said = b"".join(encode_frame(encode(message), call) for call, message in messages)
    return WorkerUpdate(
        number, said, output=b"", is_running=True, last_started=started, has_exited=False, exit_code=0
    )


def ready_actor() -> Actor:
    """Return an actor whose process becomes ready and can be terminated."""
    return Actor(get_node_info=[PLACED], start=[1], exchange=[make_update(0, (0, Ready()))], terminate=[0])


class RayWorker:
    """A worker on Ray, its process and the calls sent to it."""

    def __init__(self, folder: Path) -> None:
        self.process = RayProcess(OPTIONS, print)
        self.worker = Worker(START, self.process, print, print, print)
        self.calls: list[PendingCall] = []
        self._folder = folder

    def send(self, *, with_file: bool = False) -> None:
        loop = asyncio.get_running_loop()
        number = len(self.calls) + 1
        scratch = ScratchFolder(str(self._folder), None, str(number))
        if with_file:
            scratch.create_file_path("a.txt").write_bytes(b"content")
        self.calls.append(PendingCall(encoded(number=number), loop.create_future(), loop.time(), scratch))
        self.worker.send(self.calls[-1])

    async def lost_calls(self) -> tuple[list[int], list[int]]:
        """Wait for the worker's end; return the numbers of lost calls and of calls to retry."""
        await self.worker.wait()
        started, not_started = (list(map(self.calls.index, calls)) for calls in self.worker.split_in_flight())
        await self.worker.stop()
        self.worker.close()
        return [index + 1 for index in started], [index + 1 for index in not_started]


async def start_worker(count: int, folder: Path) -> RayWorker:
    """Return a started worker with `count` calls in flight."""
    ray_worker = RayWorker(folder)
    await ray_worker.worker.start()
    for _ in range(count):
        ray_worker.send()
    return ray_worker


@pytest.fixture
def create_actors(monkeypatch: pytest.MonkeyPatch) -> CreateActors:
    """Return a function that makes Ray create the given actors in order."""
    return lambda *actors: FakeRay(*actors).install(monkeypatch)


@pytest.mark.parametrize("error", [actor_unavailable(), actor_died()], ids=["unavailable", "lost"])
def test_lost_while_starting(create_actors: CreateActors, tmp_path: Path, error: Exception) -> None:
    """If an actor's node is gone, another actor is created, and the worker starts there."""

    async def work() -> None:
        create_actors(Actor(get_node_info=[error]), ready_actor())
        ray_worker = await start_worker(0, tmp_path)
        await ray_worker.worker.stop()
        ray_worker.worker.close()

    run(work())


def test_worker_stopped_while_its_actor_is_created(create_actors: CreateActors, tmp_path: Path) -> None:
    """Stopping a worker while its actor is being created kills the actor."""

    async def work() -> None:
        create_actors(actor := Actor(terminate=[0]))
        callbacks = SupervisorCallbacks(print, print, print)
        supervisor = WorkerSupervisor(lambda number: RayWorker(tmp_path).worker, callbacks)
        supervisor.scale(1)
        await actor.next_call("get_node_info")
        await supervisor.stop()
        assert actor.is_gone

    run(work())


def test_call_monitor_survives_a_lost_actor(create_actors: CreateActors, tmp_path: Path) -> None:
    """The call monitor survives a worker whose actor has just been lost."""

    async def work() -> None:
        create_actors(actor := ready_actor())
        ray_worker = await start_worker(2, tmp_path)
        await run_loop()
        actor.lose()
        await ray_worker.process.wait()
        looked = asyncio.Event()
        watch = CallMonitor(lambda: [ray_worker.worker], print, looked.set)
        watch.wake()
        watching, seen = asyncio.create_task(watch.run()), asyncio.create_task(looked.wait())
        await asyncio.wait({watching, seen}, return_when=asyncio.FIRST_COMPLETED)
        assert not watching.done()
        watching.cancel()
        assert await ray_worker.lost_calls() == ([1], [2])

    run(work())


@pytest.mark.parametrize("with_file", [False, True])
def test_call_for_a_lost_actor(create_actors: CreateActors, tmp_path: Path, *, with_file: bool) -> None:
    """A call for a worker whose actor has just been lost can be retried by another worker."""

    async def work() -> None:
        create_actors(actor := ready_actor())
        ray_worker = await start_worker(0, tmp_path)
        actor.lose()
        await ray_worker.process.wait()
        ray_worker.send(with_file=with_file)
        await run_loop()
        assert await ray_worker.lost_calls() == ([], [1])

    run(work())


def test_lost_while_files_are_sent(create_actors: CreateActors, tmp_path: Path) -> None:
    """If an actor is lost during the upload of a call's files, only that call is lost; others are retried."""

    async def work() -> None:
        create_actors(actor := ready_actor())
        ray_worker = await start_worker(0, tmp_path)
        ray_worker.send(with_file=True)
        ray_worker.send()
        sending = await actor.next_call("append_chunk")
        resolve(await actor.next_call("exchange"), actor_died())
        await ray_worker.process.wait()
        resolve(sending, None)
        assert await ray_worker.lost_calls() == ([1], [2])

    run(work())


def test_lost_while_a_result_is_fetched(create_actors: CreateActors, tmp_path: Path) -> None:
    """A call is lost if its actor is lost before the result has been fetched."""

    async def work() -> None:
        create_actors(actor := ready_actor())
        ray_worker = await start_worker(2, tmp_path)
        await actor.next_call("exchange")
        resolve(await actor.next_call("exchange"), make_update(1, (1, IN_A_FILE), started=1))
        resolve(await actor.next_call("read_chunk"), actor_died())
        assert await ray_worker.lost_calls() == ([1], [2])

    run(work())


def test_lost_between_two_chunks_of_a_result(create_actors: CreateActors, tmp_path: Path) -> None:
    """Same if the loss is detected between two chunks of the result."""

    async def work() -> None:
        create_actors(actor := ready_actor())
        ray_worker = await start_worker(2, tmp_path)
        ahead = await actor.next_call("exchange")
        resolve(await actor.next_call("exchange"), make_update(1, (1, IN_A_FILE), started=1))
        piece = await actor.next_call("read_chunk")
        resolve(ahead, actor_died())
        await ray_worker.process.wait()
        resolve(piece, b"piece")
        assert await ray_worker.lost_calls() == ([1], [2])

    run(work())


def test_late_result(create_actors: CreateActors, tmp_path: Path) -> None:
    """A result that arrives after the actor was declared lost is dropped; only its call is lost."""

    async def work() -> None:
        create_actors(actor := ready_actor())
        ray_worker = await start_worker(2, tmp_path)
        ahead, late = await actor.next_call("exchange"), await actor.next_call("exchange")
        resolve(ahead, actor_died())
        await ray_worker.process.wait()
        resolve(late, make_update(1, (1, IN_A_FILE), started=1))
        assert await ray_worker.lost_calls() == ([1], [2])

    run(work())


def test_late_update(create_actors: CreateActors, tmp_path: Path) -> None:
    """An update that arrives after the actor was declared lost makes no call run twice."""

    async def work() -> None:
        create_actors(actor := ready_actor())
        ray_worker = await start_worker(2, tmp_path)
        ahead, late = await actor.next_call("exchange"), await actor.next_call("exchange")
        resolve(ahead, actor_died())
        await ray_worker.process.wait()
        resolve(late, make_update(1, started=0))
        assert await ray_worker.lost_calls() == ([1], [2])

    run(work())


def test_slow_reader(create_actors: CreateActors, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow reader that blocks the worker does not make the model unavailable; silence afterwards does."""

    async def work() -> None:
        create_actors(actor := ready_actor())
        loop = asyncio.get_running_loop()
        passed_s, now = 0.0, loop.time
        monkeypatch.setattr(loop, "time", lambda: now() + passed_s)
        async with Pool(
            START,
            LIMITS,
            Metrics().create_pool_metrics("told"),
            print,
            lambda on_output: RayProcess(OPTIONS, print),
        ) as pool:
            await pool.start()
            called = asyncio.create_task(pool.submit(encoded()))
            await actor.next_call("exchange")
            resolve(await actor.next_call("exchange"), make_update(1, (1, MORE_THAN_A_WINDOW), started=1))
            stream = await called
            assert isinstance(stream, ResultStream)
            with stream:
                passed_s += SILENCE_S
                assert pool.unavailable_reason() is None
                await stream.read()
                assert pool.unavailable_reason() is None
                passed_s += SILENCE_S
                assert pool.unavailable_reason() == "No worker of 'told' is running."

    run(work())


@pytest.mark.parametrize("is_found_again", [False, True])
def test_unavailable_actor_of_a_training(
    create_actors: CreateActors, tmp_path: Path, *, is_found_again: bool
) -> None:
    """A training that was declared lost while its actor was unreachable does not continue later."""

    async def work() -> None:
        create_actors(
            actor := Actor(append_chunk=[None], start=["3.11"], poll=[actor_unavailable()], terminate=[None])
        )
        folder = TrainingFolder(tmp_path / TRAINING.uuid)
        folder.create()
        folder.job.touch()
        with TrainingStore(sqlite_url(tmp_path)) as store:
            running = RayExecutor(store, OPTIONS)
            if is_found_again:
                await running.attach(TRAINING, folder)
            else:
                assert (await running.run(TRAINING, folder)).state is TrainingState.LOST
        assert actor.is_gone

    run(work())


def test_cancelled_while_files_are_sent(create_actors: CreateActors, tmp_path: Path) -> None:
    """A training cancelled during the upload of its files finishes immediately, and its actor is killed."""

    async def work() -> None:
        create_actors(actor := Actor())
        folder = TrainingFolder(tmp_path / TRAINING.uuid)
        folder.create()
        folder.job.write_bytes(b"a job")
        with TrainingStore(sqlite_url(tmp_path)) as store:
            running = RayExecutor(store, OPTIONS)
            placing = asyncio.create_task(running.run(TRAINING, folder))
            sending = await actor.next_call("append_chunk")
            ending = asyncio.create_task(running.terminate(TRAINING, HANGS_S, asyncio.Event()))
            await run_loop()
            assert ending.done()
            assert actor.is_gone
            resolve(sending, actor_died())
            assert (await placing).state is TrainingState.LOST

    run(work())


def test_cancelled_while_starting(tmp_path: Path, gate: Gate) -> None:
    """A training cancelled while its process starts is killed as soon as the process exists."""

    async def work() -> None:
        call = Call("train", {"deaf": False, "port": gate.port}, True, None, "/nowhere", "-")  # noqa: FBT003
        host = TrainingActor(TRAINING.uuid)
        await host.append_chunk("job", encode_frame(encode(START)) + encode_frame(encode(call)))
        starting = asyncio.create_task(host.start(TRAINING, str(Path.cwd())))
        await asyncio.sleep(0)  # the start now waits for the disk
        await host.terminate(HANGS_S)
        await starting
        while not (seen := await host.poll(0, 0)).process_exit:  # noqa: ASYNC110 - it can only be asked
            await asyncio.sleep(0.02)
        assert seen.process_exit.exit == "SIGKILL"
        await host.clean_up()

    run(work())
