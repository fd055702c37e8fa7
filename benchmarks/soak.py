"""Soak test: mixes predictions, uploads, trainings, kills and disconnects for MINUTES.

Run it as `python benchmarks/soak.py MINUTES`. It prints a Markdown table, and fails if memory, descriptors,
processes or files have grown, or if a request is unaccounted for.
"""

# ruff: noqa: D102, PLR2004, ASYNC110, ARG002 - one method for each client, all with the same signature

import asyncio
import collections
import contextlib
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.server import Server, serving

MODELS = {"told": "models.faults.scripted"}
PREDICT = "/v2/models/told/predict/"
TRAIN = "/v2/models/told/train/"
FLAGS = ("--workers", "2", "--predict-timeout", "10", "--keep-trainings", "5")
WARM_UP = 0.25
GROWTH = 1.10
SETTLE_S = 10.0


class Footprint(NamedTuple):
    """Resources used by a server."""

    memory_mib: float
    descriptors: int
    processes: int
    files: int


def footprint(server: Server) -> Footprint:
    """Return the resources used by the server and its processes."""
    process = psutil.Process(server.process.pid)
    return Footprint(
        memory_mib=process.memory_info().rss / (1 << 20),
        descriptors=process.num_fds(),
        processes=len(server.family()),
        files=sum(1 for path in server.scratch.rglob("*") if path.is_file()),
    )


class Soak:
    """Clients that run until `end_s`, and their counters."""

    def __init__(self, server: Server, end_s: float) -> None:
        self.server = server
        self.end_s = end_s
        self.asked: collections.Counter[str] = collections.Counter()
        self.answered: collections.Counter[tuple[str, str]] = collections.Counter()
        self.wrong: list[tuple[str, str]] = []
        self.killed = 0

    @property
    def failed(self) -> int:
        """The number of calls that failed because a worker was killed."""
        return sum(count for (_, status), count in self.answered.items() if status == "500")

    @property
    def unaccounted(self) -> int:
        """The number of requests without a known outcome."""
        return self.asked.total() - self.answered.total() - len(self.wrong)

    def note(self, kind: str, response: httpx.Response, *, is_right: bool) -> None:
        """Count a response: correct, failed with its worker, or wrong."""
        if response.status_code == 200 and is_right:
            self.answered[kind, "200"] += 1
        elif response.status_code == 500 and "The worker that ran this prediction" in response.text:
            self.answered[kind, "500"] += 1
        else:
            self.wrong.append((kind, f"{response.status_code} {response.text[:200]}"))

    async def predictions(self, client: httpx.AsyncClient) -> None:
        number = random.randrange(1 << 30)
        response = await client.post(
            PREDICT, json={"number": number, "size": random.choice((0, 10, 3_000_000))}
        )
        is_right = (
            response.status_code == 200 and json.loads(response.json()["predictions"])["number"] == number
        )
        self.note("predictions", response, is_right=is_right)

    async def uploads(self, client: httpx.AsyncClient) -> None:
        response = await client.post(PREDICT, files={"data": ("a.bin", os.urandom(1 << 20))})
        self.note("uploads", response, is_right=True)

    async def trainings(self, client: httpx.AsyncClient) -> None:
        response = await client.post(TRAIN, json={"say": "training"})
        path = f"{TRAIN}{response.json().get('uuid')}"
        while (status := (await client.get(path)).json().get("status", "purged")) == "running":
            await asyncio.sleep(0.1)
        self.note("trainings", response, is_right=status in ("done", "purged"))

    async def disconnects(self, client: httpx.AsyncClient) -> None:
        url = httpx.URL(self.server.url)
        _, writer = await asyncio.open_connection(url.host, url.port)
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        part = '--x\r\nContent-Disposition: form-data; name="data"; filename="a"\r\n\r\n'
        request = f"{head}Content-Length: 200000\r\n\r\n{part}{'x' * 100_000}".encode()
        whole = f"POST {PREDICT}?spin_s=0.05 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode()
        writer.write(random.choice((request[: random.randrange(len(request))], whole)))
        await writer.drain()
        writer.close()
        self.answered["disconnects", "-"] += 1
        await asyncio.sleep(0.05)

    async def kills(self, client: httpx.AsyncClient) -> None:
        await asyncio.sleep(2)
        there = psutil.Process(self.server.process.pid).children()
        with contextlib.suppress(psutil.Error, IndexError):  # there may be no worker at the moment
            random.choice([one for one in there if "deepaas.workers.child" in one.cmdline()]).kill()
            self.killed += 1
        self.answered["kills", "-"] += 1

    async def repeat(self, kind: str) -> None:
        """Run one kind of client repeatedly over one connection."""
        async with httpx.AsyncClient(base_url=self.server.url, timeout=30) as client:
            while time.monotonic() < self.end_s:
                self.asked[kind] += 1
                try:
                    await getattr(self, kind)(client)
                except httpx.HTTPError as error:
                    self.wrong.append((kind, repr(error)))

    async def run(self) -> None:
        kinds = ["predictions"] * 6 + ["uploads"] * 2 + ["trainings", "disconnects", "kills"]
        await asyncio.gather(*map(self.repeat, kinds))


def settled(server: Server, before: Footprint) -> Footprint:
    """Wait until descriptors, processes and files are as before; return the footprint, also on timeout."""
    end_s = time.monotonic() + SETTLE_S
    while (now := footprint(server))[1:] != before[1:] and time.monotonic() < end_s:
        time.sleep(0.2)
    return now


def mixed(server: Server, seconds: float) -> Soak:
    """Run all clients at the same time for `seconds`."""
    soak = Soak(server, time.monotonic() + seconds)
    asyncio.run(soak.run())
    return soak


def print_footprints(cold: Footprint, before: Footprint, after: Footprint) -> None:
    """Print the footprint at the start, after the warm-up and at the end, with its growth."""
    print("| | start | after warm-up | end | growth since warm-up |\n|---|---|---|---|---|")
    for name, first, second, last in zip(Footprint._fields, cold, before, after, strict=True):
        growth = 100 * (last - second) / second if second else 0.0
        print(f"| {name} | {first:.4g} | {second:.4g} | {last:.4g} | {growth:+.1f} % |")


def print_answers(soak: Soak) -> None:
    """Print the number of requests by kind and status."""
    wrong = collections.Counter(kind for kind, _ in soak.wrong)
    statuses = sorted({status for _, status in soak.answered})
    print(f"\n| | requests | {' | '.join(statuses)} | wrong |\n|---{'|---' * (len(statuses) + 2)}|")
    for kind, asked in soak.asked.items():
        counts = [str(soak.answered[kind, status]) for status in statuses]
        print(f"| {kind} | {asked} | {' | '.join(counts)} | {wrong[kind]} |")
    print(f"\nunaccounted for: {soak.unaccounted}; failed: {soak.failed}, with {soak.killed} workers killed")
    for kind, answer in soak.wrong[:5]:
        print(f"wrong: {kind}: {answer}")


def main(minutes: float) -> int:
    """Soak a server and print the tables; return 1 on growth, wrong responses or missing ones."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), *FLAGS, models=MODELS) as server:
        cold = footprint(server)
        mixed(server, WARM_UP * 60 * minutes)
        before = settled(server, cold)
        soak = mixed(server, (1 - WARM_UP) * 60 * minutes)
        after = settled(server, before)
    print_footprints(cold, before, after)
    print_answers(soak)
    has_grown = after.memory_mib > before.memory_mib * GROWTH or after[1:] != cold[1:]
    return 1 if has_grown or soak.wrong or soak.unaccounted or soak.failed > soak.killed else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0))
