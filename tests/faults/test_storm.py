"""A storm: workers are killed all the time while many clients call, and almost nobody notices."""

import asyncio
import json
import os
import signal
import threading
from collections.abc import Callable

import httpx

from serving import CALL_S, Server, predicted, until

MODELS = {"told": "models_faults.told"}
CALLS = 5000
CONNECTIONS = 16
PAUSE_S = 0.2


class Killer(threading.Thread):
    """Kills a worker that has answered every `PAUSE_S` seconds, until it is told to stop."""

    def __init__(self) -> None:
        super().__init__()
        self._is_over = threading.Event()
        self.at_work: dict[int, None] = {}
        self.killed: list[int] = []

    def run(self) -> None:
        while not self._is_over.wait(PAUSE_S):
            for pid in list(self.at_work):
                if pid not in self.killed:
                    os.kill(pid, signal.SIGKILL)
                    self.killed.append(pid)
                    break

    def stop(self) -> None:
        """Stop killing."""
        self._is_over.set()
        self.join()


async def storm(url: str, killer: Killer) -> list[tuple[int, httpx.Response]]:
    """Make all calls over as many connections as there may be; fail when one hangs."""
    numbers = iter(range(CALLS))
    answers: list[tuple[int, httpx.Response]] = []

    async def one_connection() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=CALL_S) as client:
            for number in numbers:
                response = await client.post("/v2/models/told/predict/", json={"number": number})
                answers.append((number, response))
                if response.status_code == 200:
                    killer.at_work[json.loads(response.json()["predictions"])["pid"]] = None

    await asyncio.gather(*(one_connection() for _ in range(CONNECTIONS)))
    return answers


def test_storm(start: Callable[..., Server]) -> None:
    """Of 5,000 calls while a busy worker dies every 200 ms, at most one fails for each death."""
    server = start("--workers", "2", models=MODELS)
    killer = Killer()
    killer.start()
    try:
        answers = asyncio.run(storm(server.url, killer))
    finally:
        killer.stop()
    assert sorted(number for number, _ in answers) == list(range(CALLS))
    failed = [response for _, response in answers if response.status_code != 200]
    assert len(killer.killed) > 5
    assert len(failed) <= len(killer.killed), {response.text for response in failed}
    assert {response.status_code for response in failed} <= {500}, {response.text for response in failed}
    for number, response in answers:
        if response.status_code == 200:
            assert json.loads(response.json()["predictions"])["number"] == number
        else:
            assert "The worker that ran this prediction" in response.json()["message"]
    with server.client() as client:
        assert predicted(client, "told", json={"number": 1})["number"] == 1
        until(lambda: client.get("/health/ready").status_code == 200)
        until(lambda: 'deepaas_workers{model="told",state="starting"} 0.0' in client.get("/metrics").text)
