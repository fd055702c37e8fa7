"""A stream on the server's side: what waits in it, when its source is paused, and how it ends."""

import asyncio

import pytest

from deepaas.errors import PredictionFailed, WorkerDied
from deepaas.messages import Body, Failure
from deepaas.workers.result_stream import ResultStream

WINDOW = 1 << 18
END = Body("text/csv", b"")


class Tap:
    """A source that remembers whether it is paused, and whether its reader has left."""

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
def tap() -> Tap:
    """Return a source."""
    return Tap()


def stream_from(tap: Tap) -> ResultStream:
    """Return a stream from a source."""
    return ResultStream("text/csv", 0.0, tap, tap.leave)


def test_reading(tap: Tap) -> None:
    """What came since the last time is read at once, and what comes is waited for."""

    async def scenario() -> list[bytes]:
        stream = stream_from(tap)
        stream.feed(b"a")
        stream.feed(b"b")
        found = [await stream.read()]
        for later, *what in ((stream.feed, b"c"), (stream.finish, END)):
            reading = asyncio.create_task(stream.read())
            asyncio.get_running_loop().call_soon(later, *what)
            found.append(await reading)
        return found

    assert asyncio.run(scenario()) == [b"ab", b"c", b""]


def test_window(tap: Tap) -> None:
    """The source is paused while much waits to be read."""

    async def scenario() -> list[bool]:
        stream = stream_from(tap)
        stream.feed(bytes(WINDOW))
        states = [tap.is_open]
        stream.feed(b"x")
        states.append(tap.is_open)
        await stream.read()
        return [*states, tap.is_open]

    assert asyncio.run(scenario()) == [True, False, True]


@pytest.mark.parametrize("outcome", [END, Failure(500, "x")])
def test_source_after_the_end(tap: Tap, outcome: Body | Failure) -> None:
    """After the end, the source is open for what comes next, though much is not read yet."""
    stream = stream_from(tap)
    stream.feed(bytes(2 * WINDOW))
    stream.finish(outcome)
    assert tap.is_open
    assert len(asyncio.run(stream.read())) == 2 * WINDOW


def test_failing(tap: Tap) -> None:
    """An error is raised when all before it has been read; the first one counts."""

    async def scenario() -> None:
        stream = stream_from(tap)
        stream.feed(b"a")
        stream.finish(Failure(418, "teapot", "trace"))
        stream.fail(WorkerDied("later"))
        assert await stream.read() == b"a"
        await stream.read()

    with pytest.raises(PredictionFailed, match="teapot") as caught:
        asyncio.run(scenario())
    assert (caught.value.status, caught.value.detail) == (418, "trace")


def test_leaving(tap: Tap) -> None:
    """A reader that leaves before the end is told of, and what comes later is dropped."""
    with stream_from(tap) as stream:
        stream.feed(bytes(2 * WINDOW))
    assert (tap.has_reader, tap.is_open) == (False, True)
    stream.feed(bytes(2 * WINDOW))
    assert tap.is_open


def test_leaving_after_the_end(tap: Tap) -> None:
    """A reader that leaves after the end has not left early."""
    with stream_from(tap) as stream:
        stream.finish(END)
    assert tap.has_reader
