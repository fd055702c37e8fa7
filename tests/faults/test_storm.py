"""Workers are killed continuously while many clients call: only running calls fail."""

import asyncio
import contextlib
import itertools
import json
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import aiohttp
import psutil
import pytest

from support.server import CALL_S, Server, command_line, predicted, wait_until

pytestmark = pytest.mark.alone
MODELS = {"told": "models.faults.scripted"}
CALLS = 5000
CONNECTIONS = 16
KILLS = 10
PAUSE_S = 0.2


class Killer(threading.Thread):
    """Kills a random worker of `server` every `PAUSE_S` seconds until it is stopped."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = psutil.Process(server.process.pid)
        self._is_over = threading.Event()
        self._random = random.Random(1)
        self.kills = 0

    def run(self) -> None:
        while not self._is_over.wait(PAUSE_S):
            # A process that has just exited, or is not a worker yet, is skipped.
            with contextlib.suppress(psutil.Error, IndexError):
                self._random.choice(self.targets()).kill()
                self.kills += 1

    def targets(self) -> list[psutil.Process]:
        """Return the workers that may be killed: all, including those that are starting."""
        return [one for one in self._server.children() if "deepaas.workers.child" in command_line(one)]

    def stop(self) -> None:
        self._is_over.set()
        self.join()


class KillerOfBusyWorkers(Killer):
    """Kills only workers that have already answered a call."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.at_work: set[int] = set()

    def targets(self) -> list[psutil.Process]:
        return [one for one in super().targets() if one.pid in self.at_work]


class Answer(NamedTuple):
    """The response to a call."""

    number: int
    status: int
    content: dict[str, Any]

    @property
    def predicted(self) -> dict[str, Any]:
        """The prediction."""
        return dict(json.loads(self.content["predictions"]))


def numbers_of(calls: int, killer: Killer) -> Iterator[int]:
    """Yield `calls` numbers, then more until enough workers have been killed."""
    for number in itertools.count():
        if number >= calls and killer.kills >= KILLS:
            return
        yield number


async def storm(url: str, numbers: Iterator[int], at_work: set[int]) -> list[Answer]:
    """Make a call with each number over `CONNECTIONS` connections; fail if one hangs."""
    answers: list[Answer] = []

    async def one_connection(client: aiohttp.ClientSession) -> None:
        for number in numbers:
            async with client.post("/v2/models/told/predict/", json={"number": number}) as response:
                answer = Answer(number, response.status, await response.json())
            answers.append(answer)
            if answer.status == 200:
                at_work.add(answer.predicted["pid"])

    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    patience = aiohttp.ClientTimeout(CALL_S)
    async with aiohttp.ClientSession(url, connector=connector, timeout=patience) as client:
        await asyncio.gather(*(one_connection(client) for _ in range(CONNECTIONS)))
    return answers


def weather(server: Server, killer: Killer, calls: int, at_work: set[int]) -> None:
    """Make calls while `killer` runs; check that at most one call failed for each killed worker."""
    killer.start()
    try:
        answers = asyncio.run(storm(server.url, numbers_of(calls, killer), at_work))
    finally:
        killer.stop()
    assert sorted(answer.number for answer in answers) == list(range(len(answers)))
    failed = [answer for answer in answers if answer.status != 200]
    assert len(failed) <= killer.kills, failed
    for answer in failed:
        assert answer.status == 500, answer
        assert "The worker that ran this prediction" in answer.content["message"]
    assert all(answer.predicted["number"] == answer.number for answer in answers if answer.status == 200)
    with server.client() as client:
        assert predicted(client, "told", json={"number": 1})["number"] == 1
        wait_until(lambda: client.get("/health/ready").status_code == 200)
        wait_until(
            lambda: 'deepaas_workers{model="told",state="starting"} 0.0' in client.get("/metrics").text
        )


def test_storm(start: Callable[..., Server]) -> None:
    """While a busy worker is killed every 200 ms, at most one call fails for each of them."""
    server = start("--workers", "2", models=MODELS)
    killer = KillerOfBusyWorkers(server)
    weather(server, killer, CALLS // 4, killer.at_work)


def test_storm_that_kills_starting_workers(start: Callable[..., Server]) -> None:
    """As above, with 5,000 calls, when starting workers are killed too: calls wait for the next worker."""
    server = start("--workers", "3", models=MODELS)
    weather(server, Killer(server), CALLS, set())
