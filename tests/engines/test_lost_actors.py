"""Actors lost, silent or late at one precise moment: what becomes of calls, workers and trainings."""

import asyncio
import gc
import platform
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from scripted import Actor, Script, answer, died, unavailable

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
from deepaas.workers.call_queue import PendingCall
from deepaas.workers.monitor import CallMonitor
from deepaas.workers.pool import Pool
from deepaas.workers.pool_config import PoolConfig
from deepaas.workers.result_stream import ResultStream
from deepaas.workers.supervisor import SlotCallbacks, WorkerSlot
from deepaas.workers.worker import Worker
from faults.calls import START, encoded
from serving import Gate
from support.machine import limit_s

Play = Callable[..., None]
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
    """Run a test's work: it does not hang, and nothing fails behind its back."""

    async def watched() -> None:
        complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
        async with asyncio.timeout(HANGS_S):
            await work
        gc.collect()  # a task that failed unseen says so when it is forgotten
        assert complaints == []

    asyncio.run(watched())


async def some_turns() -> None:
    """Let the loop do what it can do without anybody's answer."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


def make_update(number: int, *messages: tuple[int, Message], begun: int = 0) -> WorkerUpdate:
    """Return what an actor has heard of its process: messages, each behind the number of its call."""
    said = b"".join(encode_frame(encode(message), call) for call, message in messages)
    return WorkerUpdate(
        number, said, output=b"", is_running=True, last_started=begun, has_exited=False, exit_code=0
    )


def ready_actor() -> Actor:
    """Return an actor whose process gets ready, and ends when it is told to."""
    return Actor(get_node_info=[PLACED], start=[1], exchange=[make_update(0, (0, Ready()))], terminate=[0])


class Held:
    """A worker on Ray, its process, and the calls that were sent to it."""

    def __init__(self, folder: Path) -> None:
        self.process = RayProcess(OPTIONS, print)
        self.worker = Worker(START, self.process, print, print, print)
        self.calls: list[PendingCall] = []
        self._folder = folder

    def send(self, *, with_file: bool = False) -> None:
        """Send one more call."""
        loop = asyncio.get_running_loop()
        number = len(self.calls) + 1
        scratch = ScratchFolder(str(self._folder / str(number)))
        if with_file:
            scratch.create_file_path("a.txt").write_bytes(b"content")
        self.calls.append(PendingCall(encoded(number=number), loop.create_future(), loop.time(), scratch))
        self.worker.send(self.calls[-1])

    async def lost_calls(self) -> tuple[list[int], list[int]]:
        """Return the numbers of calls that were lost with the actor, and of those that others run."""
        await self.worker.wait()
        begun, not_begun = (list(map(self.calls.index, calls)) for calls in self.worker.split_in_flight())
        await self.worker.stop()
        self.worker.close()
        return [index + 1 for index in begun], [index + 1 for index in not_begun]


async def holding(count: int, folder: Path) -> Held:
    """Return a worker that has started and was sent so many calls."""
    held = Held(folder)
    await held.worker.start()
    for _ in range(count):
        held.send()
    return held


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Return what has Ray make the given actors, one after the other."""
    return lambda *actors: Script(*actors).play(monkeypatch)


@pytest.mark.parametrize("error", [unavailable(), died()], ids=["unavailable", "lost"])
def test_lost_while_it_is_placed(play: Play, tmp_path: Path, error: Exception) -> None:
    """When an actor's node turns out to be gone, another is placed, and the worker starts there."""

    async def work() -> None:
        play(Actor(get_node_info=[error]), ready_actor())
        held = await holding(0, tmp_path)
        await held.worker.stop()
        held.worker.close()

    run(work())


def test_place_emptied_while_it_is_filled(play: Play, tmp_path: Path) -> None:
    """When a place has been emptied, the actor that was to fill it is gone too."""

    async def work() -> None:
        play(actor := Actor(terminate=[0]))
        slot = WorkerSlot(lambda: Held(tmp_path).worker, SlotCallbacks(print, print, print))
        slot.keep_running()
        await actor.asked("get_node_info")
        await slot.stop()
        assert actor.is_gone

    run(work())


def test_lost_between_two_looks(play: Play, tmp_path: Path) -> None:
    """The watch of a pool goes on when it comes to a worker whose actor was lost a moment ago."""

    async def work() -> None:
        play(actor := ready_actor())
        held = await holding(2, tmp_path)
        await some_turns()
        actor.lose()
        await held.process.wait()
        looked = asyncio.Event()
        watch = CallMonitor(lambda: [held.worker], print, looked.set, 0)
        watch.wake()
        watching, seen = asyncio.create_task(watch.run()), asyncio.create_task(looked.wait())
        await asyncio.wait({watching, seen}, return_when=asyncio.FIRST_COMPLETED)
        assert not watching.done()
        watching.cancel()
        assert await held.lost_calls() == ([1], [2])

    run(work())


@pytest.mark.parametrize("with_file", [False, True])
def test_call_for_a_lost_actor(play: Play, tmp_path: Path, *, with_file: bool) -> None:
    """A call that goes to a worker whose actor was lost a moment ago goes to another one."""

    async def work() -> None:
        play(actor := ready_actor())
        held = await holding(0, tmp_path)
        actor.lose()
        await held.process.wait()
        held.send(with_file=with_file)
        await some_turns()
        assert await held.lost_calls() == ([], [1])

    run(work())


def test_lost_while_files_are_sent(play: Play, tmp_path: Path) -> None:
    """When an actor is lost while a call's files go there, that call is lost, and those behind it are not."""

    async def work() -> None:
        play(actor := ready_actor())
        held = await holding(0, tmp_path)
        held.send(with_file=True)
        held.send()
        sending = await actor.asked("append_chunk")
        answer(await actor.asked("exchange"), died())
        await held.process.wait()
        answer(sending, None)
        assert await held.lost_calls() == ([1], [2])

    run(work())


def test_lost_while_a_result_is_brought(play: Play, tmp_path: Path) -> None:
    """A call whose result is lost on its way is the one that is lost with the actor."""

    async def work() -> None:
        play(actor := ready_actor())
        held = await holding(2, tmp_path)
        await actor.asked("exchange")
        answer(await actor.asked("exchange"), make_update(1, (1, IN_A_FILE), begun=1))
        answer(await actor.asked("read_chunk"), died())
        assert await held.lost_calls() == ([1], [2])

    run(work())


def test_lost_with_a_result_half_brought(play: Play, tmp_path: Path) -> None:
    """So it is when the loss is found by other means, between two pieces of the result."""

    async def work() -> None:
        play(actor := ready_actor())
        held = await holding(2, tmp_path)
        ahead = await actor.asked("exchange")
        answer(await actor.asked("exchange"), make_update(1, (1, IN_A_FILE), begun=1))
        piece = await actor.asked("read_chunk")
        answer(ahead, died())
        await held.process.wait()
        answer(piece, b"piece")
        assert await held.lost_calls() == ([1], [2])

    run(work())


def test_late_result(play: Play, tmp_path: Path) -> None:
    """A result that is announced after its actor was given up is lost, and nothing else is."""

    async def work() -> None:
        play(actor := ready_actor())
        held = await holding(2, tmp_path)
        ahead, late = await actor.asked("exchange"), await actor.asked("exchange")
        answer(ahead, died())
        await held.process.wait()
        answer(late, make_update(1, (1, IN_A_FILE), begun=1))
        assert await held.lost_calls() == ([1], [2])

    run(work())


def test_late_answer(play: Play, tmp_path: Path) -> None:
    """What was said before an actor was given up, and comes after that, has no call run a second time."""

    async def work() -> None:
        play(actor := ready_actor())
        held = await holding(2, tmp_path)
        ahead, late = await actor.asked("exchange"), await actor.asked("exchange")
        answer(ahead, died())
        await held.process.wait()
        answer(late, make_update(1, begun=0))
        assert await held.lost_calls() == ([1], [2])

    run(work())


def test_slow_reader(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model is ready while one who reads slowly keeps its worker waiting; silence after that counts."""

    async def work() -> None:
        play(actor := ready_actor())
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
            called = asyncio.create_task(pool.submit(encoded()))
            await actor.asked("exchange")
            answer(await actor.asked("exchange"), make_update(1, (1, MORE_THAN_A_WINDOW), begun=1))
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
def test_unavailable_actor_of_a_training(play: Play, tmp_path: Path, *, is_found_again: bool) -> None:
    """A training that is given up since its actor was away does not go on when the actor is back."""

    async def work() -> None:
        play(actor := Actor(append_chunk=[None], start=["3.11"], poll=[unavailable()], terminate=[None]))
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


def test_cancelled_while_files_are_sent(play: Play, tmp_path: Path) -> None:
    """A training that is cancelled while its files go to its actor ends at once, with the actor."""

    async def work() -> None:
        play(actor := Actor())
        folder = TrainingFolder(tmp_path / TRAINING.uuid)
        folder.create()
        folder.job.write_bytes(b"a job")
        with TrainingStore(sqlite_url(tmp_path)) as store:
            running = RayExecutor(store, OPTIONS)
            placing = asyncio.create_task(running.run(TRAINING, folder))
            sending = await actor.asked("append_chunk")
            ending = asyncio.create_task(running.terminate(TRAINING, HANGS_S, asyncio.Event()))
            await some_turns()
            assert ending.done()
            assert actor.is_gone
            answer(sending, died())
            assert (await placing).state is TrainingState.LOST

    run(work())


def test_cancelled_while_it_is_started(tmp_path: Path, gate: Gate) -> None:
    """A training that is cancelled while its process is being started is killed as soon as it has one."""

    async def work() -> None:
        call = Call("train", {"deaf": False, "port": gate.port}, True, None, "/nowhere", "-")  # noqa: FBT003
        host = TrainingActor(TRAINING.uuid)
        await host.append_chunk("job", encode_frame(encode(START)) + encode_frame(encode(call)))
        starting = asyncio.create_task(host.start(TRAINING, str(Path.cwd())))
        await asyncio.sleep(0)  # it has begun, and waits for the disk
        await host.terminate(HANGS_S)
        await starting
        while not (seen := await host.poll(0, 0)).process_exit:  # noqa: ASYNC110 - it can only be asked
            await asyncio.sleep(0.02)
        assert seen.process_exit.exit == "SIGKILL"
        await host.clean_up()

    run(work())
