"""Cancelled uploads whose files a thread is still writing."""

import asyncio
import errno
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict
from webargs import fields

from deepaas.http import multipart_form
from deepaas.http.request_body import ParsedRequest, read_argument_sources
from deepaas.model.arguments import Arguments
from deepaas.scratch import SMALL_FILE_BYTES, UploadFolder
from support.server import CALL_S, wait_until

HEAD = b'--b\r\nContent-Disposition: form-data; name="data"; filename="a.bin"\r\n\r\n'
TYPE = "multipart/form-data; boundary=b"


class Disk:
    """Replaces the write function: delays writes until the test allows them, or lets them fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: OSError | None = None) -> None:
        self.file: Any = None
        self.is_asked = threading.Event()
        self.may_write = threading.Event()
        self._error = error
        self._write = multipart_form._write  # noqa: SLF001 - the only function that runs in the thread
        monkeypatch.setattr(multipart_form, "_write", self.write)

    def write(self, file: Any, pieces: Any, *, is_last: bool) -> None:
        self.file = file
        self.is_asked.set()
        assert self.may_write.wait(CALL_S)
        if self._error:
            raise self._error
        self._write(file, pieces, is_last=is_last)


async def read_upload(scratch: UploadFolder, body: AsyncIterator[bytes]) -> None:
    arguments = Arguments({"data": fields.Raw(metadata={"type": "file", "location": "form"})})
    headers = CIMultiDict({"Content-Type": TYPE})
    await read_argument_sources(ParsedRequest(CIMultiDict(), headers, body, 1 << 20), arguments, scratch)


@pytest.mark.parametrize("times", [1, 2])
def test_leaving(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, times: int) -> None:
    """The file is closed only after the thread's write, even if the request is cancelled twice."""
    disk = Disk(monkeypatch)

    async def body() -> AsyncIterator[bytes]:
        yield HEAD + bytes(2 * SMALL_FILE_BYTES)
        await asyncio.Event().wait()

    async def work() -> None:
        task = asyncio.create_task(read_upload(UploadFolder(str(tmp_path)), body()))
        assert await asyncio.to_thread(disk.is_asked.wait, CALL_S)
        for _ in range(times):
            assert not task.done()
            task.cancel()
            for _ in range(10):
                await asyncio.sleep(0)
        assert task.done() is (times > 1)
        assert not disk.file.closed
        disk.may_write.set()
        await asyncio.to_thread(wait_until, lambda: disk.file.closed)
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(work())


def test_full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A full disk fails the request, and the file is closed."""
    disk = Disk(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    disk.may_write.set()

    async def body() -> AsyncIterator[bytes]:
        for piece in (HEAD, bytes(2 * SMALL_FILE_BYTES), bytes(2 * SMALL_FILE_BYTES)):
            yield piece

    async def work() -> None:
        with pytest.raises(OSError, match="No space left"):
            await read_upload(UploadFolder(str(tmp_path)), body())
        await asyncio.to_thread(wait_until, lambda: disk.file.closed)

    asyncio.run(work())
