"""Streams that fail or that no client reads: each ends, and the worker stays usable."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import pytest

from support.machine import limit_s, timeout_s
from support.raw_http import Wire
from support.server import Gate, Server, serving, wait_until

pytestmark = pytest.mark.slow
MODELS = {"streams": "models.streams", "chosen": "models.streams:Chosen"}
LINES, EVENTS = "application/x-ndjson", "text/event-stream"
PREDICT = "/v2/models/streams/predict/"
JSON = "Content-Type: application/json"
KILLED = "The worker that ran this prediction was killed by SIGKILL. Other predictions are not affected."
QUIET_S = limit_s(0.5)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server whose clients may stop reading for at most a second."""
    folder = tmp_path_factory.mktemp("streams")
    with serving(folder, "--body-timeout", str(timeout_s(1)), models=MODELS) as server:
        yield server


@pytest.fixture
def client(shared: Server) -> Iterator[httpx.Client]:
    """Yield a client. After the test, the server works and no file is left."""
    with shared.client() as client:
        yield client
        assert len(stream(client)) == 3
        wait_until(lambda: shared.scratch_files() == [])


def stream(client: httpx.Client, **arguments: Any) -> list[Any]:
    """Return the lines of a stream, including the last one of a broken stream, an error message."""
    found: list[Any] = []
    with client.stream("POST", PREDICT, json=arguments) as response:
        assert response.status_code == 200, response.read()
        try:
            found.extend(map(json.loads, response.iter_lines()))
        except httpx.RemoteProtocolError:
            assert list(found[-1]) == ["message"], found
    return found


def notes(server: Server) -> list[str]:
    """Return the notes that generators wrote when they were closed."""
    path = server.cwd / "notes"
    return path.read_text().splitlines() if path.exists() else []


def begun(server: Server, **arguments: Any) -> Wire:
    """Start a stream on a connection with a small receive buffer."""
    wire = Wire(server)
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    wire.post(PREDICT, JSON, body=json.dumps(arguments).encode())
    assert wire.socket.recv(100).startswith(b"HTTP/1.1 200")
    return wire


def quiet(process: psutil.Process) -> bool:
    """Return whether a process uses no processor time for `QUIET_S`."""
    before = process.cpu_times()
    end = time.monotonic() + QUIET_S
    while time.monotonic() < end:
        if process.cpu_times() != before:
            return False
        time.sleep(0.05)  # between two checks
    return True


def test_worker_killed_before_the_first_item_is_an_ordinary_error(client: httpx.Client) -> None:
    response = client.post(PREDICT, json={"end": "SIGKILL", "at": 0})
    assert (response.status_code, response.json()) == (500, {"message": KILLED})


def test_worker_killed_while_streaming_lines(client: httpx.Client) -> None:
    """The last line is the error, and the body has no end."""
    assert stream(client, end="SIGKILL", at=2)[1:] == [{"number": 1, "text": "x"}, {"message": KILLED}]


def test_worker_killed_while_streaming_events(client: httpx.Client) -> None:
    """The last event is the error."""
    response = client.post(PREDICT, json={"end": "SIGKILL", "at": 2}, headers={"Accept": EVENTS})
    assert response.text.endswith(f'event: error\ndata: {{"message":"{KILLED}"}}\n\n')


def test_worker_killed_while_streaming_chunks(client: httpx.Client) -> None:
    """The raw body has no end."""
    request = {"json": {"accept": "text/csv", "end": "SIGKILL"}}
    with client.stream("POST", "/v2/models/chosen/predict/", **request) as response:
        assert response.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            response.read()


def test_worker_killed_within_an_item(client: httpx.Client, shared: Server) -> None:
    """After half of a large item, no error is appended: the body just has no end."""
    with begun(shared, size=50_000_000) as wire:
        wait_until(lambda: all(map(quiet, shared.workers())))
        for worker in shared.workers():
            worker.kill()
        received = b""
        while chunk := wire.socket.recv(1 << 20):
            received += chunk
    assert received.rstrip(b"\r\n").endswith(b"xxxx")
    wait_until(lambda: len(shared.workers()) == 2)


@pytest.mark.parametrize("size", [10, 10_000_000], ids=["small", "large"])
def test_disconnect(client: httpx.Client, shared: Server, size: int) -> None:
    """After a disconnect the generator is closed, and the same worker takes the next call."""
    before = shared.workers()
    with begun(shared, count=10**9, size=size, note=f"left at {size}"):
        pass
    wait_until(lambda: f"left at {size}" in notes(shared))
    assert len(stream(client)) == 3
    assert shared.workers() == before


def test_disconnect_before_the_first_item(client: httpx.Client, shared: Server, gate: Gate) -> None:
    """A generator whose client disconnects during the first item is closed after that item."""
    with Wire(shared) as wire:
        body = {"count": 10**9, "port": gate.port, "at": 0, "note": "left early"}
        wire.post(PREDICT, JSON, body=json.dumps(body).encode())
        gate.wait()
    gate.open()
    wait_until(lambda: "left early" in notes(shared))


def test_client_that_does_not_read(client: httpx.Client, shared: Server) -> None:
    """A client that does not read for --body-timeout seconds is disconnected if others need the worker."""
    with begun(shared, count=10**9, size=100_000, note="unread"):
        assert len(stream(client)) == 3
        assert "unread" in notes(shared)
    shared.output.wait_for("reads less than 500 bytes per second")


def test_slow_client(start: Callable[..., Server]) -> None:
    """Items are produced only as fast as the client reads, and the server buffers little."""
    server = start(models={"streams": "models.streams"})
    (worker,) = server.workers()
    with server.client() as client:
        stream(client, size=1_000_000)
    before = server.family()[0].memory_info().rss
    with begun(server, count=300, size=1_000_000, note="all made") as wire:
        received = 100
        while received < 100_000_000:
            received += len(wire.socket.recv(1 << 20))
        wait_until(lambda: quiet(worker))
        assert notes(server) == []
        assert server.family()[0].memory_info().rss - before < 50_000_000
        while not received > 300_000_000:
            received += len(wire.socket.recv(1 << 20))
    wait_until(lambda: notes(server) == ["all made"])


def test_cancel_on_disconnect_kills_the_worker_of_a_stream(start: Callable[..., Server], gate: Gate) -> None:
    server = start("--cancel-on-disconnect", models=MODELS)
    old = server.workers()
    with begun(server, port=gate.port):
        gate.wait()
    wait_until(lambda: not all(worker.is_running() for worker in old))
    with server.client() as client:
        assert len(stream(client)) == 3


def test_time_limit(start: Callable[..., Server], gate: Gate) -> None:
    """The timeout applies to the whole stream, which ends with the error."""
    time_out = timeout_s(1)
    server = start("--predict-timeout", str(time_out), models=MODELS)
    with server.client() as client:
        message = f"The prediction took longer than {time_out:g} s."
        assert stream(client, port=gate.port)[1:] == [{"message": message}]
        assert len(stream(client)) == 3


def test_other_calls(start: Callable[..., Server], gate: Gate) -> None:
    """While one worker streams, the other responds; with both busy, calls wait."""
    server = start("--workers", "2", models=MODELS)
    arguments = {"port": gate.port, "count": 2}
    with server.client() as client, client.stream("POST", PREDICT, json=arguments) as first:
        gate.wait()
        assert [len(stream(client)) for _ in range(50)] == [3] * 50
        with client.stream("POST", PREDICT, json=arguments) as second, ThreadPoolExecutor(4) as threads:
            gate.wait()
            waiting = [threads.submit(stream, client) for _ in range(4)]
            wait_until(lambda: b'deepaas_queue_length{model="streams"} 4.0' in client.get("/metrics").content)
            gate.open()
            assert [len(one.result()) for one in waiting] == [3] * 4
            assert len(second.read().splitlines()) == 2
        assert len(first.read().splitlines()) == 2


def test_reload(start: Callable[..., Server], gate: Gate) -> None:
    """A reload lets a stream finish before its worker exits."""
    server = start(models={"streams": "models.streams"})
    (old,) = server.workers()
    with server.client() as client, ThreadPoolExecutor(1) as threads:
        with client.stream("POST", PREDICT, json={"port": gate.port}) as response:
            gate.wait()
            reloading = threads.submit(client.post, "/v2/models/streams/reload")
            wait_until(lambda: len(server.workers()) == 2)
            gate.open()
            assert len(response.read().splitlines()) == 3
        assert reloading.result().status_code == 200
        assert not old.is_running()


def test_draining(start: Callable[..., Server], gate: Gate) -> None:
    """A server that shuts down lets a stream finish."""
    server = start(models=MODELS)
    arguments = {"port": gate.port}
    with ThreadPoolExecutor(1) as threads, server.client() as client:
        with client.stream("POST", PREDICT, json=arguments) as response:
            gate.wait()
            stopping = threads.submit(server.stop)
            server.output.wait_for("Shutting down")
            gate.open()
            assert len(response.read().splitlines()) == 3
        stopping.result()
