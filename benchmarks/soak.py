"""A soak: predictions, uploads, trainings, kills and disconnects for MINUTES; in the end nothing has grown.

Run it as `python benchmarks/soak.py MINUTES`. It prints a Markdown table and fails when something is left.
"""

# ruff: noqa: D102, PLR2004, ASYNC110, ARG002 - one verb a client, all called the same way

import asyncio
import collections
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from serving import Server, serving

MODELS = {"told": "models_faults.told"}
PREDICT = "/v2/models/told/predict/"
TRAIN = "/v2/models/told/train/"
FLAGS = ("--workers", "2", "--predict-timeout", "10", "--keep-trainings", "5")
WARM_UP = 0.25
GROWTH = 1.10
SETTLE_S = 10.0


class Footprint(NamedTuple):
    """What a server takes of the machine."""

    memory_mib: float
    descriptors: int
    processes: int
    files: int


def footprint(server: Server) -> Footprint:
    """Return what the server's process and all it has take."""
    process = psutil.Process(server.process.pid)
    return Footprint(
        memory_mib=process.memory_info().rss / (1 << 20),
        descriptors=process.num_fds(),
        processes=len(server.family()),
        files=sum(1 for path in server.scratch.rglob("*") if path.is_file()),
    )


class Soak:
    """Clients that go on until `end_s`, and what they counted."""

    def __init__(self, server: Server, end_s: float) -> None:
        self.server = server
        self.end_s = end_s
        self.asked: collections.Counter[str] = collections.Counter()
        self.answered: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []
        self.kills = 0

    def note(self, kind: str, response: httpx.Response, *, is_right: bool) -> None:
        """Account for an answer: it is right, or says that a worker was lost or none is ready."""
        if response.status_code == 200 and is_right:
            self.answered[f"{kind}: 200"] += 1
        elif response.status_code in (500, 503) and "worker" in response.text:
            self.answered[f"{kind}: {response.status_code}"] += 1
        else:
            self.wrong.append(f"{kind}: {response.status_code} {response.text[:200]}")

    async def predictions(self, client: httpx.AsyncClient) -> None:
        number = random.randrange(1 << 30)
        response = await client.post(
            PREDICT, json={"number": number, "size": random.choice((0, 10, 3_000_000))}
        )
        is_right = (
            response.status_code == 200 and json.loads(response.json()["predictions"])["number"] == number
        )
        self.note("prediction", response, is_right=is_right)

    async def uploads(self, client: httpx.AsyncClient) -> None:
        response = await client.post(PREDICT, files={"data": ("a.bin", os.urandom(1 << 20))})
        self.note("upload", response, is_right=True)

    async def trainings(self, client: httpx.AsyncClient) -> None:
        response = await client.post(TRAIN, json={"say": "training"})
        self.note("training", response, is_right=True)
        path = f"{TRAIN}{response.json()['uuid']}"
        while (status := (await client.get(path)).json().get("status", "purged")) == "running":
            await asyncio.sleep(0.1)
        if status not in ("done", "purged"):
            self.wrong.append(f"training: ended as {status}")

    async def disconnects(self, client: httpx.AsyncClient) -> None:
        url = httpx.URL(self.server.url)
        _, writer = await asyncio.open_connection(url.host, url.port)
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        part = '--x\r\nContent-Disposition: form-data; name="data"; filename="a"\r\n\r\n'
        request = f"{head}Content-Length: 200000\r\n\r\n{part}{'x' * 100_000}".encode()
        writer.write(request[: random.randrange(len(request))])
        await writer.drain()
        writer.close()
        self.answered["disconnect: -"] += 1
        await asyncio.sleep(0.05)

    async def deaths(self, client: httpx.AsyncClient) -> None:
        await asyncio.sleep(2)
        children = psutil.Process(self.server.process.pid).children()
        pids = [one.pid for one in children if "deepaas.workers.child" in one.cmdline()]
        if pids:
            os.kill(random.choice(pids), signal.SIGKILL)
            self.kills += 1
        self.answered["kill: -"] += 1

    async def repeat(self, kind: str) -> None:
        """Do one kind of thing again and again over one connection."""
        async with httpx.AsyncClient(base_url=self.server.url, timeout=30) as client:
            while time.monotonic() < self.end_s:
                self.asked[kind.rstrip("s")] += 1
                await getattr(self, kind)(client)

    async def run(self) -> None:
        kinds = ["predictions"] * 6 + ["uploads"] * 2 + ["trainings", "disconnects", "deaths"]
        await asyncio.gather(*map(self.repeat, kinds))


def settled(server: Server, before: Footprint) -> Footprint:
    """Return the footprint when descriptors, processes and files are as before, or no longer hoped for."""
    end_s = time.monotonic() + SETTLE_S
    while (now := footprint(server))[1:] != before[1:] and time.monotonic() < end_s:
        time.sleep(0.2)
    return now


def mixed(server: Server, seconds: float) -> Soak:
    """Do everything at once for some time."""
    soak = Soak(server, time.monotonic() + seconds)
    asyncio.run(soak.run())
    return soak


def main(minutes: float) -> int:
    """Soak a server, print the table, and return 1 when something is left or unaccounted for."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), *FLAGS, models=MODELS) as server:
        cold = footprint(server)
        mixed(server, WARM_UP * 60 * minutes)
        before = settled(server, cold)
        soak = mixed(server, (1 - WARM_UP) * 60 * minutes)
        after = settled(server, before)
    print("| | start | after warm-up | end |\n|---|---|---|---|")
    for name, *figures in zip(Footprint._fields, cold, before, after, strict=True):
        print(f"| {name} | {' | '.join(f'{figure:.4g}' for figure in figures)} |")
    print("\n| what | count |\n|---|---|")
    for what, count in sorted(soak.answered.items()):
        print(f"| {what} | {count} |")
    asked, answered = sum(soak.asked.values()), sum(soak.answered.values()) + len(soak.wrong)
    print(f"| asked | {asked} |\n| accounted for | {answered} |\n| wrong | {len(soak.wrong)} |")
    for line in soak.wrong[:5]:
        print(line)
    is_fine = after.memory_mib <= before.memory_mib * GROWTH and after[1:] == before[1:] and not soak.wrong
    return 0 if is_fine and asked == answered else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0))
