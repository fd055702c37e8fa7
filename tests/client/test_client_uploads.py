"""Large uploads must not be held in the client's memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.server import CALL_S, Server

pytestmark = pytest.mark.slow
SERVED = ["big_uploads"]

SIZE_BYTES = 300 << 20
MOST_BYTES = 30 << 20
ASK = """
import asyncio, json, resource, sys
from deepaas.client import AsyncClient, Client

def most_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10

async def ask_awaiting(url, path):
    async with AsyncClient(url) as client:
        return await client["big_uploads"].predict(data=path)

def ask(url, path):
    with Client(url) as client:
        return client["big_uploads"].predict(data=path)

url, small, large = sys.argv[1:]
ask(url, small), asyncio.run(ask_awaiting(url, small))
before = most_bytes()
found = [ask(url, large), asyncio.run(ask_awaiting(url, large))]
print(json.dumps([most_bytes() - before, [json.loads(one["predictions"])["size"] for one in found]]))
"""


def test_from_the_disk(server: Server, tmp_path: Path) -> None:
    """A file of 300 MiB is streamed from disk."""
    small, large = tmp_path / "small.bin", tmp_path / "large.bin"
    small.write_bytes(b"x")
    with large.open("wb") as file:
        file.truncate(SIZE_BYTES)
    command = [sys.executable, "-c", ASK, server.url, str(small), str(large)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=6 * CALL_S, check=False)
    assert done.returncode == 0, done.stderr
    grown_bytes, sizes = json.loads(done.stdout)
    assert sizes == [SIZE_BYTES] * 2
    assert grown_bytes < MOST_BYTES
