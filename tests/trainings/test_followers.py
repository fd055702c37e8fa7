"""Many clients that follow one training, and slow clients."""

import asyncio
import dataclasses
import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from deepaas.trainings import events
from deepaas.trainings.events import EventOffset, TrainingEventBroadcaster
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.record import TrainingRecord, TrainingState
from support.machine import limit_s, processor_s, timeout_s
from support.server import Gate, Server, wait_until
from support.trainings import STEPS, begin, ended, path_of

MANY = 200
MEASURED_S = 2.0


@pytest.mark.alone
def test_many(trainer: Server, http: httpx.Client, gate: Gate) -> None:
    """The server polls a training once for all clients: 200 of them need less than a tenth of a core."""
    record = begin(http, ["print", "x"], ["wait", gate.port])
    gate.wait()

    async def follow() -> float:
        """Return the server's CPU time while the clients follow, in seconds."""
        process = psutil.Process(trainer.process.pid)
        url = httpx.URL(trainer.url)
        assert url.port
        head = f"GET {path_of(record, '/events')} HTTP/1.1\r\nHost: {url.netloc.decode()}\r\n\r\n".encode()
        writers = []
        for _ in range(MANY):
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writers.append(writer)
            writer.write(head)
            await reader.readuntil(b'"line":"x"}')
        before = process.cpu_times()
        await asyncio.sleep(MEASURED_S)
        after = process.cpu_times()
        for writer in writers:
            writer.close()
        return after.user + after.system - before.user - before.system

    taken_s = asyncio.run(follow())
    gate.open()
    assert taken_s < processor_s(0.1 * MEASURED_S)


def test_one_that_reads_nothing(start: Callable[..., Server]) -> None:
    """A client that reads nothing is disconnected after --body-timeout, on every route."""
    server = start("--body-timeout", str(timeout_s(1)), models=STEPS)
    with server.client() as client:
        record = begin(client, ["write", f"{'x' * 99}\n" * 200_000], ["leave", "big", "x" * 20_000_000])
        ended(client, record)
    url = httpx.URL(server.url)
    sockets = []
    for below in ("/log", "/events", "/log?tail=200000", "/artifacts/big"):
        taken = socket.create_connection((url.host, url.port or 0))
        taken.sendall(
            f"GET {path_of(record, below)} HTTP/1.1\r\nHost: {url.netloc.decode()}\r\n\r\n".encode()
        )
        sockets.append(taken)
    cut = "Disconnecting a client that reads less than"
    wait_until(lambda: server.log.count(cut) == len(sockets))
    for taken in sockets:
        taken.close()


def test_one_that_is_slower_than_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow client receives every line exactly once, although its queue is bounded."""
    monkeypatch.setattr(events, "_POLL_INTERVAL_S", 0.001)
    folder = TrainingFolder(tmp_path)
    training = TrainingRecord(
        uuid="e" * 32, model="m", created=1.0, arguments={}, state=TrainingState.RUNNING
    )
    asyncio.run(_follow_slowly(folder, training))


async def _follow_slowly(folder: TrainingFolder, training: TrainingRecord) -> None:
    states = [training]

    async def read(_: str) -> TrainingRecord:
        return states[0]

    followed = TrainingEventBroadcaster(read, lambda _: folder, lambda: False)
    lines = [str(number) for number in range(1000)]
    found: list[str] = []
    folder.log.write_text("")
    async with asyncio.timeout(limit_s(20)):
        async for batch in followed.subscribe(training.uuid, EventOffset()):
            found += [event.content["line"] for event in batch or [] if event.kind == "log"]
            if lines:
                with folder.log.open("a") as log:
                    for _ in range(100):
                        log.write(f"{lines.pop(0)}\n")
                        log.flush()
                        await asyncio.sleep(0.002)
            else:
                states[0] = dataclasses.replace(training, state=TrainingState.DONE, finished=2.0)
    assert found == [str(number) for number in range(1000)]
