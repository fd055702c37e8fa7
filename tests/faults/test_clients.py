"""Clients that send malformed requests, send too slowly, or disconnect."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from support.machine import timeout_s
from support.raw_http import Answer, Wire, request
from support.server import (
    AN_HOUR,
    AT_ONCE_S,
    CALL_S,
    START_S,
    Gate,
    Server,
    predicted,
    serving,
    wait_until,
    within,
)

MODELS = {"told": "models.faults.scripted"}
PREDICT = "/v2/models/told/predict/"
MULTIPART = "Content-Type: multipart/form-data; boundary=x"
JSON = "Content-Type: application/json"
LARGEST_BYTES = 1_000_000
PAUSE_S = timeout_s(1)
CHUNKED = "Transfer-Encoding: chunked"
PART = b'--x\r\nContent-Disposition: form-data; name="data"; filename="a.bin"\r\n\r\n'
NESTED = (
    b'--x\r\nContent-Disposition: form-data; name="data"\r\n'
    b"Content-Type: multipart/mixed; boundary=y\r\n\r\n"
    b'--y\r\nContent-Disposition: file; filename="a"\r\n\r\ncontent\r\n--y--\r\n--x--\r\n'
)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server that allows `PAUSE_S` for headers and between parts of a body, which is at most 1 MB."""
    timeouts = ("--header-timeout", str(PAUSE_S), "--body-timeout", str(PAUSE_S))
    flags = (*timeouts, "--client-max-size", str(LARGEST_BYTES))
    with serving(tmp_path_factory.mktemp("strict"), *flags, models=MODELS) as server:
        yield server


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server whose timeouts no test reaches, for bodies of up to 1 MB."""
    timeouts = ("--header-timeout", AN_HOUR, "--body-timeout", AN_HOUR)
    flags = (*timeouts, "--client-max-size", str(LARGEST_BYTES))
    with serving(tmp_path_factory.mktemp("patient"), *flags, models=MODELS) as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_left(strict: Server) -> Iterator[None]:
    """After every test, the next request succeeds and no file is left."""
    yield
    with strict.client() as client:
        assert predicted(client, "told", json={"number": 3})["number"] == 3
    wait_until(lambda: strict.scratch_files() == [])
    assert "Traceback" not in strict.log, strict.log


def ask(server: Server, *headers: str, body: bytes, length: int | None = None) -> Answer:
    """Send a request and return the response."""
    with Wire(server) as wire:
        wire.post(PREDICT, *headers, body=body, length=length)
        return wire.answer()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (MULTIPART, PART + b"content without an end"),
        (MULTIPART, PART[:30]),
        (MULTIPART, b"no part at all"),
        ("Content-Type: multipart/form-data", PART + b"content\r\n--x--\r\n"),
        ('Content-Type: multipart/form-data; boundary=""', PART + b"content\r\n--x--\r\n"),
        ("Content-Type: multipart/form-data; boundary=y", PART + b"content\r\n--x--\r\n"),
        (MULTIPART, b"--x\r\n" + b"a" * 100_000 + b": b\r\n\r\ncontent\r\n--x--\r\n"),
        (JSON, b'{"number": '),
        (JSON, b"[" * 100_000),
        (JSON, b"\xff\xfe"),
    ],
    ids=[
        "truncated",
        "cut-head",
        "no-part",
        "no-boundary",
        "empty-boundary",
        "other-boundary",
        "long-part-head",
        "cut-json",
        "deep-json",
        "not-utf8",
    ],
)
def test_malformed_body_is_a_bad_request(patient: Server, content_type: str, body: bytes) -> None:
    answer = within(lambda: ask(patient, content_type, body=body), 1)
    assert answer.status == 400, answer
    content = json.loads(answer.body)
    assert content.get("message") or content == {"json": ["Invalid JSON body."]}


@pytest.mark.parametrize(
    "body",
    [b"", b"--x\r\nContent-Disposition: form-data\r\n\r\ncontent\r\n--x--\r\n"],
    ids=["empty", "nameless"],
)
def test_empty_multipart_body_means_no_arguments(strict: Server, body: bytes) -> None:
    answer = ask(strict, MULTIPART, body=body)
    assert answer.status == 200
    assert json.loads(json.loads(answer.body)["predictions"])["number"] == 0


def test_nested_multipart(patient: Server) -> None:
    """A multipart part inside a part is ignored or refused; it causes no server error and leaves no file."""
    answer = within(lambda: ask(patient, MULTIPART, body=NESTED), 1)
    assert answer.status in (200, 400, 422), answer


ENDLESS = {
    "file": (PART, b"content" * 10_000),
    "text": (b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\n', b"content" * 10_000),
    "parts": (b"", PART + b"content" * 100 + b"\r\n"),
    "unknown parts": (b"", PART.replace(b'"data"', b'"other"') + b"content\r\n"),
    "preamble": (b"", b"no boundary" * 1000),
}


@pytest.mark.parametrize("begin", [request(PREDICT, MULTIPART, CHUNKED), request(PREDICT, JSON, CHUNKED)])
@pytest.mark.parametrize(("first", "rest"), ENDLESS.values(), ids=ENDLESS)
def test_endless_body(strict: Server, begin: bytes, first: bytes, rest: bytes) -> None:
    """The server responds once the body exceeds --client-max-size or is malformed."""
    with Wire(strict) as wire:
        wire.send(begin + chunk(first))
        wire.send_until_answered(chunk(rest * (1 + 100_000 // len(rest))))
        answer = wire.answer()
    assert answer.status in (400, 413), answer
    assert answer.status == 400 or "--client-max-size" in answer.message


def chunk(content: bytes) -> bytes:
    """Return one chunk of a chunked body, or nothing for empty content."""
    return b"%x\r\n%s\r\n" % (len(content), content) if content else b""


def test_too_short_length(patient: Server) -> None:
    """Bytes beyond Content-Length never become part of the request."""
    answer = within(lambda: ask(patient, JSON, body=b'{"number": 4}trailing', length=13), 1)
    assert answer.status in (200, 400), answer
    if answer.status == 200:
        assert json.loads(json.loads(answer.body)["predictions"])["number"] == 4


def test_too_long_length(strict: Server) -> None:
    """The server waits --body-timeout seconds for the rest, then responds with 408."""
    began = time.monotonic()
    answer = ask(strict, MULTIPART, body=PART + b"content", length=10_000)
    assert answer.status == 408
    assert "--body-timeout" in answer.message
    assert 0.9 * PAUSE_S < time.monotonic() - began < PAUSE_S + AT_ONCE_S


@pytest.mark.parametrize("length", ["-1", "x", "1, 2", "9" * 40])
def test_absurd_length(strict: Server, length: str) -> None:
    """An invalid Content-Length is refused; the server keeps running."""
    with Wire(strict) as wire:
        wire.send(request(PREDICT, JSON, f"Content-Length: {length}") + b"{}")
        answer = wire.answer()
    assert answer.status in (400, 408, 413), answer


def test_ten_thousand_headers_are_refused_or_answered(patient: Server) -> None:
    headers = [f"X-{number}: a" for number in range(10_000)]

    def attempt() -> Answer:
        with Wire(patient) as wire:
            wire.send(request("/v2/", *headers, method="GET"))
            return wire.answer()

    answer = within(attempt, 1)
    assert answer.status in (200, 400, 431), answer


def test_long_header_is_refused(strict: Server) -> None:
    with Wire(strict) as wire:
        wire.send(request("/v2/", f"X-Long: {'a' * 20_000}", method="GET"))
        answer = wire.answer()
    assert answer.status in (400, 431)
    assert answer.message
    assert answer.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "sent", [b"", b"POST /v2/", request(PREDICT)[:-2]], ids=["silent", "line", "headers"]
)
def test_client_with_slow_headers_is_disconnected(strict: Server, sent: bytes) -> None:
    with Wire(strict) as wire:
        wire.send(sent)
        assert 0.5 * PAUSE_S < wire.wait_until_closed(CALL_S) < PAUSE_S + AT_ONCE_S


def test_trickled_headers(strict: Server) -> None:
    """The header timeout covers all headers together."""
    with Wire(strict) as wire:
        began = time.monotonic()
        wire.socket.settimeout(0.1)
        ended = False
        while not ended and time.monotonic() - began < PAUSE_S + AT_ONCE_S:
            try:
                wire.send(b"X")
                ended = wire.socket.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
        assert ended


@pytest.mark.parametrize("content_type", [MULTIPART, JSON], ids=["multipart", "json"])
def test_slow_body(strict: Server, content_type: str) -> None:
    """After a pause longer than --body-timeout the server responds with 408 and deletes the file."""
    with Wire(strict) as wire:
        wire.post(
            PREDICT, content_type, body=PART + b"begin" if "multipart" in content_type else b"{", length=999
        )
        answer = wire.answer()
        assert answer.status == 408
        assert f"{PAUSE_S:g} s" in answer.message


def test_trickled_body_times_out(strict: Server) -> None:
    with Wire(strict) as wire:
        wire.post(PREDICT, MULTIPART, body=PART, length=1_000_000)
        wire.socket.settimeout(0.2)
        began = time.monotonic()
        got = b""
        while not got and time.monotonic() - began < PAUSE_S + AT_ONCE_S:
            try:
                wire.send(b"a")
                got = wire.socket.recv(4096)
            except TimeoutError:
                continue
        assert b" 408 " in got


def test_endless_body_without_a_limit(start: Callable[..., Server]) -> None:
    """An endless body does not block other requests; its file is deleted when the client disconnects."""
    server = start(models=MODELS)
    with server.client() as client:
        with Wire(server) as wire:
            wire.send(request(PREDICT, MULTIPART, CHUNKED) + chunk(PART))
            for _ in range(200):
                wire.send(chunk(b"content" * 30_000))
            assert wait_until(server.scratch_files)
            assert client.get("/health/live").status_code == 200
            assert predicted(client, "told", json={"number": 2})["number"] == 2
        wait_until(lambda: not server.scratch_files())


@pytest.mark.alone
def test_many_parts(start: Callable[..., Server]) -> None:
    """Other requests are served while 10,000 small files are parsed."""
    server = start(models=MODELS)
    body = (PART + b"content\r\n") * 10_000 + b"--x--\r\n"
    headers = dict([MULTIPART.split(": ")])
    with server.client() as client, ThreadPoolExecutor(1) as threads:
        began = time.monotonic()
        upload = threads.submit(
            httpx.post, f"{server.url}{PREDICT}", content=body, headers=headers, timeout=START_S
        )
        waits_s = []
        while not upload.done():
            asked = time.monotonic()
            assert client.get("/health/live").status_code == 200
            waits_s.append(time.monotonic() - asked)
        assert upload.result().status_code == 200
        assert max(waits_s) < (time.monotonic() - began) / 3


STAGES = {
    "connected": b"",
    "in the request line": b"POST /v2/mod",
    "in the headers": request(PREDICT)[:-2],
    "before the body": request(PREDICT, MULTIPART, "Content-Length: 5000"),
    "in a part's head": request(PREDICT, MULTIPART, "Content-Length: 5000") + PART[:40],
    "in a file": request(PREDICT, MULTIPART, "Content-Length: 5000") + PART + b"content",
    "in a chunk": request(PREDICT, MULTIPART, CHUNKED) + b"fff\r\n" + PART,
    "in JSON": request(PREDICT, JSON, "Content-Length: 500") + b"{",
    "before the answer": request(PREDICT, JSON, "Content-Length: 2") + b"{}",
}


@pytest.mark.parametrize("sent", STAGES.values(), ids=STAGES)
def test_disconnect_at_any_stage_is_harmless(strict: Server, sent: bytes) -> None:
    with Wire(strict) as wire:
        wire.send(sent)


def test_disconnect_during_prediction(strict: Server, gate: Gate) -> None:
    """The upload is deleted once the call has finished."""
    with Wire(strict) as wire:
        port = b'\r\n--x\r\nContent-Disposition: form-data; name="port"\r\n\r\n%d\r\n--x--\r\n' % gate.port
        wire.post(PREDICT, MULTIPART, body=PART + b"content" + port)
        gate.wait()
    gate.open()


def test_disconnect_during_response_leaves_no_file(strict: Server) -> None:
    with Wire(strict) as wire:
        wire.post(PREDICT, JSON, body=b'{"size": 20000000}')
        assert wire.socket.recv(100)


def test_many_silent_clients(patient: Server, strict: Server) -> None:
    """200 idle connections do not delay other clients, and time out."""
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(Wire(patient))
        client = stack.enter_context(patient.client())
        assert within(lambda: predicted(client, "told", json={"number": 1}), 1)["number"] == 1
    with contextlib.ExitStack() as stack:
        for wire in [stack.enter_context(Wire(strict)) for _ in range(200)]:
            wire.wait_until_closed(CALL_S)
