"""A result stream on the server's side: buffering, flow control and errors."""

import asyncio

import pytest

from deepaas.errors import PredictionFailed, WorkerDied
from deepaas.messages import Body, Failure
from deepaas.workers.result_stream import ResultStream

WINDOW = 1 << 18
END = Body("text/csv", b"")


class Source:
    """A source that records whether it is paused and whether its reader has left."""

    def __init__(self) -> None:
        self.is_open = True
        self.has_reader = True

    def pause(self) -> None:
        self.is_open = False

    def resume(self) -> None:
        self.is_open = True

    def leave(self) -> None:
        self.has_reader = False


@pytest.fixture
def source() -> Source:
    return Source()


def stream_from(source: Source) -> ResultStream:
    return ResultStream("text/csv", 0.0, source, source.leave)


def test_reading(source: Source) -> None:
    """read() returns buffered data immediately, and otherwise waits for it."""

    async def scenario() -> list[bytes]:
        stream = stream_from(source)
        stream.feed(b"a")
        stream.feed(b"b")
        found = [await stream.read()]
        for later, *what in ((stream.feed, b"c"), (stream.finish, END)):
            reading = asyncio.create_task(stream.read())
            asyncio.get_running_loop().call_soon(later, *what)
            found.append(await reading)
        return found

    assert asyncio.run(scenario()) == [b"ab", b"c", b""]


def test_window(source: Source) -> None:
    """The source is paused while much data is unread."""

    async def scenario() -> list[bool]:
        stream = stream_from(source)
        stream.feed(bytes(WINDOW))
        states = [source.is_open]
        stream.feed(b"x")
        states.append(source.is_open)
        await stream.read()
        return [*states, source.is_open]

    assert asyncio.run(scenario()) == [True, False, True]


@pytest.mark.parametrize("outcome", [END, Failure(500, "x")])
def test_source_after_the_end(source: Source, outcome: Body | Failure) -> None:
    """After the end the source is resumed, although data is unread."""
    stream = stream_from(source)
    stream.feed(bytes(2 * WINDOW))
    stream.finish(outcome)
    assert source.is_open
    assert len(asyncio.run(stream.read())) == 2 * WINDOW


def test_failing(source: Source) -> None:
    """An error is raised after all earlier data has been read; the first error counts."""

    async def scenario() -> None:
        stream = stream_from(source)
        stream.feed(b"a")
        stream.finish(Failure(418, "teapot", "trace"))
        stream.fail(WorkerDied("later"))
        assert await stream.read() == b"a"
        await stream.read()

    with pytest.raises(PredictionFailed, match="teapot") as caught:
        asyncio.run(scenario())
    assert (caught.value.status, caught.value.detail) == (418, "trace")


def test_leaving(source: Source) -> None:
    """If the reader leaves early, the callback is called, and later data is dropped."""
    with stream_from(source) as stream:
        stream.feed(bytes(2 * WINDOW))
    assert (source.has_reader, source.is_open) == (False, True)
    stream.feed(bytes(2 * WINDOW))
    assert source.is_open


def test_leaving_after_the_end_is_not_early(source: Source) -> None:
    with stream_from(source) as stream:
        stream.finish(END)
    assert source.has_reader
