"""Sending a file that changes, or whose client disconnects, during the response."""

import asyncio
import contextlib
import gc
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import uvloop
from aiohttp import web

from deepaas.http.error_responses import Handler
from deepaas.http.responses import FileResponse, to_response
from deepaas.messages import Body
from support import machine


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("condition", ["", 'If-None-Match: "*"\r\n', "If-Match: other\r\n"])
def test_client_leaves_while_the_file_is_opened(tmp_path: Path, condition: str) -> None:
    """asyncio logs no error, and the file is closed."""
    path = tmp_path / "file.txt"
    path.write_text("content")
    errors: list[dict[str, Any]] = []
    asyncio.run(_disconnect_while_file_is_opened(path, condition, errors))
    gc.collect()  # asyncio logs exceptions that were not retrieved when it deletes their task
    assert errors == []


async def _disconnect_while_file_is_opened(path: Path, condition: str, errors: list[dict[str, Any]]) -> None:
    """Request a file and disconnect while the server's only thread is busy; collect asyncio's errors."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: errors.append(context))
    loop.set_default_executor(ThreadPoolExecutor(1))
    began, left = asyncio.Event(), asyncio.Event()

    class Response(FileResponse):
        async def prepare(self, request: web.BaseRequest) -> Any:
            began.set()
            try:
                return await super().prepare(request)
            except asyncio.CancelledError:
                left.set()
                raise

    async def handle(_: web.Request) -> web.StreamResponse:
        return Response(path)

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    release = threading.Event()
    busy = loop.run_in_executor(None, release.wait)
    _, writer = await asyncio.open_connection(*runner.addresses[0])
    writer.write(f"GET / HTTP/1.1\r\nHost: a\r\n{condition}\r\n".encode())
    async with asyncio.timeout(machine.limit_s(10)):
        await began.wait()
        writer.transport.abort()
        await left.wait()
        release.set()
        await busy
        await runner.cleanup()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)


WAYS = ["artifact", "prediction"]
LARGE_BYTES = 64 << 20  # more than the buffers of a connection can hold
KEPT_BYTES = 3 << 20
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n%s\r\n"


def create_handler(path: Path, way: str) -> Handler:

    async def handle(request: web.Request) -> web.StreamResponse:
        if way == "artifact":
            return FileResponse(path)
        return await to_response(request, Body("application/octet-stream", b"", str(path)))

    return handle


@contextlib.asynccontextmanager
async def connect(handler: Handler) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Start a server with one route, and connect to it."""
    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0])
    try:
        async with asyncio.timeout(machine.limit_s(20)):
            yield reader, writer
    finally:
        writer.close()
        await runner.cleanup()


@pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")  # the keys are plain strings
@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop])
@pytest.mark.parametrize("left_bytes", [0, KEPT_BYTES])
@pytest.mark.parametrize("way", WAYS)
def test_file_shrinks(tmp_path: Path, way: str, left_bytes: int, new_loop: Any) -> None:
    """The server disconnects, so that the next response is not taken for the rest of the file."""
    path = tmp_path / "file"
    path.touch()
    os.truncate(path, LARGE_BYTES)

    async def receive() -> bytes:
        async with connect(create_handler(path, way)) as (reader, writer):
            writer.write(GET % b"" + GET % b"Connection: close\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert f"Content-Length: {LARGE_BYTES}".encode() in head
            os.truncate(path, left_bytes)
            return await reader.read()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        received = runner.run(receive())
    assert len(received) < LARGE_BYTES
    assert not received.strip(b"\0")


@pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")
@pytest.mark.parametrize("way", WAYS)
def test_compressed_neighbour(tmp_path: Path, way: str) -> None:
    """`v.csv.gz` next to `v.csv` is a different file, even for clients that accept gzip."""
    path = tmp_path / "v.csv"
    path.write_bytes(b"the file")
    for suffix in (".gz", ".br"):
        path.with_name(path.name + suffix).write_bytes(b"another")

    async def receive() -> tuple[bytes, bytes]:
        async with connect(create_handler(path, way)) as (reader, writer):
            writer.write(GET % b"Accept-Encoding: gzip, br\r\n")
            return await reader.readuntil(b"\r\n\r\n"), await reader.readexactly(len(b"another"))

    head, body = asyncio.run(receive())
    assert b"Content-Encoding" not in head
    assert body == b"the file"[: len(body)]
