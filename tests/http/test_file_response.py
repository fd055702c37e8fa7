"""Files that the server sends from its disk, when the client leaves before they are sent."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from deepaas.http.streaming import FileResponse
from support import machine


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("condition", ["", 'If-None-Match: "*"\r\n', "If-Match: other\r\n"])
def test_client_leaves_while_the_file_is_opened(tmp_path: Path, condition: str) -> None:
    """Nothing is logged by asyncio, and the file is closed."""
    path = tmp_path / "file.txt"
    path.write_text("content")
    complaints: list[dict[str, Any]] = []
    asyncio.run(_leave_while_a_file_is_opened(path, condition, complaints))
    gc.collect()  # asyncio logs an exception that nobody looked at when its task is deleted
    assert complaints == []


async def _leave_while_a_file_is_opened(path: Path, condition: str, complaints: list[dict[str, Any]]) -> None:
    """Ask a server for a file and leave while its only thread is busy; note what asyncio had to log."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
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
