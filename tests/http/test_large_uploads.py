"""Uploads that must not be held in memory."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from support.server import Server, predicted

pytestmark = pytest.mark.slow
SIZE_BYTES = 2 << 30
CHUNK = bytes(1 << 20)
MOST_BYTES = 50 << 20
MOST_FAULTS = 20
TRIES = 4
BOUNDARY = b"--b\r\n"
HEAD = b'Content-Disposition: form-data; name="data"; filename="big.bin"\r\n\r\n'


def test_two_gigabytes(start: Callable[..., Server]) -> None:
    """A large upload is streamed to disk: memory does not grow, and the file is deleted afterwards."""
    server = start(models={"big_uploads": "models.big_uploads"})
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    process = psutil.Process(server.process.pid)
    with server.client() as client:
        predicted(client, "big_uploads", files={"data": CHUNK})
        most = [process.memory_info().rss]

        def body() -> Iterator[bytes]:
            yield BOUNDARY + HEAD
            for number in range(SIZE_BYTES // len(CHUNK)):
                if number % 64 == 0:
                    most.append(process.memory_info().rss)
                yield CHUNK
            yield b"\r\n--b--\r\n"

        found = predicted(client, "big_uploads", content=body(), headers=headers)
    assert found["size"] == SIZE_BYTES
    assert found["path"].endswith(".bin")
    assert max(most) - most[0] < MOST_BYTES
    assert server.scratch_files() == []


@pytest.mark.alone
def test_memory_is_used_again(start: Callable[..., Server]) -> None:
    """Repeated uploads reuse memory pages, because the kernel must clear new ones."""
    server = start(models={"big_uploads": "models.big_uploads"})
    with server.client() as client, ThreadPoolExecutor(4) as threads:

        def upload(count: int) -> None:
            list(threads.map(lambda _: predicted(client, "big_uploads", files={"data": CHUNK}), range(count)))

        def faults_of_each() -> float:
            before = faults(server.process.pid)
            upload(40)
            return (faults(server.process.pid) - before) / 40

        upload(20)
        # Several tries: a new maximum of concurrent uploads needs new memory.
        assert any(faults_of_each() < MOST_FAULTS for _ in range(TRIES))


def faults(pid: int) -> int:
    """Return the number of minor page faults of the process, see proc_pid_stat(5)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])
