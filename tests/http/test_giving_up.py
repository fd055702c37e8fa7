"""Files of uploads that are given up while a thread writes them."""

import asyncio
import errno
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, cast

import pytest
from multidict import CIMultiDict
from webargs import fields

from deepaas.files import SMALL_BYTES, Scratch
from deepaas.http.uploads import given_of
from deepaas.model.arguments import Arguments
from serving import CALL_S

HEAD = b'--b\r\nContent-Disposition: form-data; name="data"; filename="a.bin"\r\n\r\n'
TYPE = "multipart/form-data; boundary=b"


class SlowFile:
    """A file whose writing takes until the test lets it end, or fails."""

    def __init__(self, error: OSError | None = None) -> None:
        self.error = error
        self.is_written = threading.Event()
        self.may_end = threading.Event()
        self.is_closed = asyncio.Event()
        self.was_disturbed = False
        self._loop = asyncio.get_running_loop()
        self._writers = 0

    def open(self, _: str) -> "SlowFile":
        """Return itself, as a path does its file."""
        return self

    def writelines(self, _: Iterable[bytes]) -> None:
        """Write, which takes its time."""
        self._writers += 1
        self.is_written.set()
        if self.error:
            raise self.error
        assert self.may_end.wait(CALL_S)
        self._writers -= 1

    def close(self) -> None:
        """Take note."""
        self.was_disturbed = self.was_disturbed or (self._writers > 0 and self.error is None)
        self._loop.call_soon_threadsafe(self.is_closed.set)


class OneFile:
    """A scratch folder that has one file to give."""

    def __init__(self, file: SlowFile) -> None:
        self.file = file

    def new_file(self, _: str) -> Any:
        """Return what becomes the file when it is opened."""
        return self.file

    def write_small(self, _: str, __: Sequence[bytes]) -> str:
        """Fail: nothing here is small."""
        raise AssertionError


def reading(file: SlowFile, body: AsyncIterator[bytes]) -> Any:
    """Return what reads an upload into the file."""
    arguments = Arguments({"data": fields.Raw(metadata={"type": "file", "location": "form"})})
    scratch = cast(Scratch, OneFile(file))
    headers = CIMultiDict({"Content-Type": TYPE})
    return given_of(CIMultiDict(), "multipart/form-data", headers, body, arguments=arguments, scratch=scratch)


@pytest.mark.parametrize("times", [1, 2])
def test_leaving(times: int) -> None:
    """A file is closed when its thread is done with it, not before, however often one cancels."""

    async def body() -> AsyncIterator[bytes]:
        yield HEAD + bytes(2 * SMALL_BYTES)
        await asyncio.Event().wait()

    async def work() -> None:
        file = SlowFile()
        async with asyncio.timeout(CALL_S):
            task = asyncio.create_task(reading(file, body()))
            await asyncio.to_thread(file.is_written.wait, CALL_S)
            for _ in range(times):
                task.cancel()
                await asyncio.sleep(0)
            await asyncio.wait([task])
            assert task.cancelled()
            assert not file.is_closed.is_set()
            file.may_end.set()
            await file.is_closed.wait()
        assert not file.was_disturbed

    asyncio.run(work())


def test_full_disk() -> None:
    """A disk that takes no more is an error of the request's, and the file is closed."""

    async def body() -> AsyncIterator[bytes]:
        for piece in (HEAD, bytes(2 * SMALL_BYTES), bytes(2 * SMALL_BYTES)):
            yield piece

    async def work() -> None:
        file = SlowFile(OSError(errno.ENOSPC, "No space left on device"))
        async with asyncio.timeout(CALL_S):
            with pytest.raises(OSError, match="No space left"):
                await reading(file, body())
            await file.is_closed.wait()

    asyncio.run(work())
