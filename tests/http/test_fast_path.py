"""The fast path: same responses and same connection handling as aiohttp."""

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.machine import limit_s, timeout_s
from support.raw_http import Answer, Wire, request
from support.server import AN_HOUR, AT_ONCE_S, Gate, Server, predicted, serving, wait_until

MODELS = {
    "sources": "models.sources",
    "negotiated": "models.negotiated",
    "returns_files": "models.returns_files",
    "waiting": "models.waiting",
    "raising": "models.raising",
    "uploads": "models.uploads",
    "accepts_anything": "models.accepts:WithoutChoices",
    "accepts_pictures": "models.accepts:Wildcard",
    "odd_choices": "models.streams:OddChoices",
}
FIRST = request("/v2/", method="GET")
JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
IDENTITY = "X-Request-ID: given-by-the-client"
CHUNKED = request("/v2/models/sources/predict/", JSON, "Transfer-Encoding: chunked")


def post(path: str, *headers: str, body: bytes = b"") -> bytes:
    """Return a complete request."""
    return request(f"/v2/models/{path}", *headers, f"Content-Length: {len(body)}") + body


SAME = {
    "nothing": post("sources/predict/"),
    "no final slash": post("sources/predict"),
    "query": post("sources/predict/?word=%C3%A4+b&words=1&words=2&split=1,2&table=%7B%22a%22%3A1%7D&word=c"),
    "query that is no UTF-8": post("sources/predict/?word=%FF&=&&words"),
    "json": post(
        "sources/predict/", JSON, body=b'{"word": "\xc3\xa4", "words": ["a", "b"], "table": {"a": 1}}'
    ),
    "form": post("sources/predict/", FORM, body=b"word=a+b&words=1&words=2&split=3,4"),
    "both": post("sources/predict/?word=query", JSON, body=b'{"word": "json", "words": ["w"]}'),
    "header": post("sources/predict/", "x-token: secret"),
    "invalid json": post("sources/predict/", JSON, body=b'{"word":'),
    "invalid form": post("sources/predict/", FORM, body=b"word=%FF"),
    "json that is no object": post("sources/predict/", JSON, body=b"[]"),
    "unfit": post("sources/predict/?split=a", JSON, body=b'{"words": 1, "table": []}'),
    "other body": post("sources/predict/", "Content-Type: text/plain", body=b"word"),
    "body without a type": post("sources/predict/", body=b"word=a"),
    "page of a stranger": post("sources/predict/", "Origin: http://stranger.example"),
    "page of the server": post("sources/predict/", "Origin: http://localhost"),
    "name of a stranger": post("sources/predict/").replace(b"Host: localhost", b"Host: stranger.example"),
    "chunked": CHUNKED + b'5\r\n{"wor\r\n8\r\nd": "a"}\r\n0\r\n\r\n',
    "accept": post("negotiated/predict/", "Accept: text/*;q=0.5, image/png;q=0.1"),
    "accept twice": post("negotiated/predict/", "Accept: image/webp", "Accept: text/plain"),
    "not acceptable": post("negotiated/predict/", "Accept: video/mp4"),
    "accepted by name": post("negotiated/predict/?accept=image/png"),
    "bytes": post("returns_files/predict/?what=bytes&accept=text/plain"),
    "with a name": post("returns_files/predict/?what=named&accept=text/plain"),
    "control character in a media type": post("returns_files/predict/?what=odd_type&accept=image/png"),
    "control character in a name": post("returns_files/predict/?what=odd_name&accept=image/png"),
    "name that is no text": post("returns_files/predict/?what=no_text_name&accept=image/png"),
    "control character in accept": post("accepts_anything/predict/?accept=a%0D%0Ab/c"),
    "control character in accept, no UTF-8": post(
        "accepts_pictures/predict/?accept=image/*", "Accept: image/?"
    ).replace(b"/?\r", b"/\xff\r"),
    "control character in a stream's media type": post("odd_choices/predict/"),
    "large": post("returns_files/predict/?what=large&accept=application/octet-stream"),
    "large file": post("returns_files/predict/?what=large_path&accept=application/octet-stream"),
    "unfit result": post("returns_files/predict/?what=missing&accept=image/png"),
    "a status of the author's": post("raising/predict/?what=bad_request"),
    "unknown model": post("nobody/predict/"),
    "long header": post("sources/predict/", f"X-Long: {'a' * 9000}"),
    "many headers": post("sources/predict/", *(f"X-{number}: a" for number in range(110))),
    "empty lines before": b"\r\n\r\n" + post("sources/predict/?word=a"),
    "two lengths": post("sources/predict/", JSON, "Content-Length: 2", body=b"{}"),
    "no length": post("sources/predict/", JSON, body=b"{}").replace(b"Length: 2", b"Length: +2"),
    "length and chunks": CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n") + b"0\r\n\r\n",
    "bare line feeds": post("sources/predict/?word=a").replace(b"\r\n", b"\n"),
    "another protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no HTTP": b"POST /v2/models/sources/predict/ HTTP/9.9\r\n\r\n",
}
IDLE_S, HEADERS_S = timeout_s(1), timeout_s(5)
VARYING = ("date", "etag", "last-modified", "x-request-id")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server with an idle timeout of one second, and a longer timeout for headers."""
    flags = ("--keepalive-timeout", str(IDLE_S), "--header-timeout", str(HEADERS_S), "--workers", "2")
    with serving(tmp_path_factory.mktemp("served"), *flags, models=MODELS) as server:
        yield server


def comparable_parts(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """Return the parts that do not differ between responses to the same request."""
    headers = {name: text for name, text in answer.headers.items() if name not in VARYING}
    return answer.status, headers, answer.body


@pytest.mark.parametrize("sent", SAME.values(), ids=SAME)
def test_same_answer(served: Server, sent: bytes) -> None:
    """The response is the same on a new connection and on one that aiohttp has taken over."""
    with Wire(served) as fresh, Wire(served) as taken:
        fresh.send(sent)
        taken.send(FIRST)
        assert taken.answer().status == 200
        taken.send(sent)
        first, second = fresh.answer(), taken.answer()
    assert comparable_parts(first) == comparable_parts(second)
    assert set(first.headers) == set(second.headers)


@pytest.mark.parametrize("before", [b"", FIRST])
def test_result_that_is_gone(served: Server, before: bytes) -> None:
    """A result whose file has vanished is an error response; the connection stays open."""
    upload = post(
        "returns_files/predict/?what=vanishing&accept=image/png",
        "Content-Type: multipart/form-data; boundary=x",
        body=PARTS.replace(b"many", b"data") + b"--x--\r\n",
    )
    with Wire(served) as wire:
        wire.send(before)
        if before:
            wire.answer()
        for _ in range(2):
            wire.send(upload)
            answer = wire.answer()
            assert (answer.status, "FileNotFoundError" in answer.message) == (500, True)
            assert "/" not in answer.message


def test_stream_of_an_odd_media_type(served: Server) -> None:
    """A media type that is invalid in a header is an error response; the connection stays open."""
    with Wire(served) as wire:
        wire.send(post("odd_choices/predict/"))
        answer = wire.answer()
    assert answer.status == 500
    assert r"The media type 'text/a\r\nb' has control characters" in answer.message


@pytest.mark.parametrize("path", ["sources/predict/", "sources/predict/?split=a", "nobody/predict/"])
def test_request_id(served: Server, path: str) -> None:
    """The response has the client's request id, on success and on errors."""
    with Wire(served) as wire:
        wire.send(post(path, IDENTITY))
        assert wire.answer().headers["X-Request-ID"] == "given-by-the-client"


PARTS = b"".join(
    b'--x\r\nContent-Disposition: form-data; name="many"; filename="a.bin"\r\n\r\n' + content + b"\r\n"
    for content in (b"small", bytes(100_000))
)
UPLOAD = post("uploads/predict/", "Content-Type: multipart/form-data; boundary=x", body=PARTS + b"--x--\r\n")


@pytest.mark.parametrize("first", [50, 400, 90_000])
@pytest.mark.parametrize("pause", [False, True])
def test_in_pieces(served: Server, first: int, *, pause: bool) -> None:
    """An upload in several pieces, with or without a pause, is read like one piece."""
    with Wire(served) as whole, Wire(served) as wire:
        whole.send(UPLOAD)
        wire.send(UPLOAD[:first])
        if pause:
            wire.socket.settimeout(0.3)
            with pytest.raises(TimeoutError):
                wire.socket.recv(1)
            wire.socket.settimeout(AT_ONCE_S)
        wire.send(UPLOAD[first:])
        assert contents(wire.answer()) == contents(whole.answer()) == ["small", "\0" * 100_000]


def contents(answer: Answer) -> list[str]:
    """Return the contents of the uploads as read by the model."""
    assert answer.status == 200, answer
    return [file["content"] for file in json.loads(json.loads(answer.body)["predictions"])["many"]]


def test_uploads_in_memory(tmp_path: Path) -> None:
    """Small uploads are stored in /dev/shm, and deleted after the response."""
    with serving(tmp_path, models=MODELS, env={"TMPDIR": ""}) as server, Wire(server) as wire:
        wire.send(post("uploads/predict/"))
        wire.answer()
        wire.send(UPLOAD)
        found = re.search(r"/dev/shm/deepaas-scratch-[^/]+", wire.answer().body.decode())
        assert found
        assert list(Path(found[0]).iterdir()) == []


def test_several_on_one_connection(served: Server) -> None:
    """Consecutive requests get responses in order, on the fast path and in aiohttp."""
    with Wire(served) as wire:
        for number in range(3):
            wire.send(post(f"waiting/predict/?number={number}"))
            assert f'\\"number\\":{number}' in wire.answer().body.decode()
        wire.send(FIRST)
        assert wire.answer().status == 200
        wire.send(post("waiting/predict/?number=4"))
        assert '\\"number\\":4' in wire.answer().body.decode()


def test_body_and_the_next_request(served: Server) -> None:
    """Bytes after a body belong to the next request."""
    first = post("waiting/predict/", JSON, body=b'{"number": 1}')
    with Wire(served) as wire:
        wire.send(first + post("waiting/predict/", JSON, body=b'{"number": 2}'))
        for number in (1, 2):
            assert f'\\"number\\":{number}' in wire.answer().body.decode()


def test_all_at_once(served: Server) -> None:
    """Pipelined requests get responses in order."""
    with Wire(served) as wire:
        wire.send(b"".join(post(f"waiting/predict/?number={number}") for number in range(5)))
        for number in range(5):
            assert f'\\"number\\":{number}' in wire.answer().body.decode()


def test_early(served: Server, gate: Gate) -> None:
    """Requests that arrive during a prediction are buffered, even many."""
    with Wire(served) as wire:
        wire.send(post(f"waiting/predict/?number=0&port={gate.port}"))
        gate.wait()
        for number in range(1, 60):
            wire.send(post(f"waiting/predict/?number={number}", JSON, body=b" " * 4000))
        gate.open()
        for number in range(60):
            assert f'\\"number\\":{number}' in wire.answer().body.decode()


def test_reader_that_waits(served: Server) -> None:
    """A client that does not read its responses does not fill the server's memory."""
    asked = 400
    sent = post("returns_files/predict/?what=large_text&accept=text/plain")
    before = served.family()[0].memory_info().rss
    with Wire(served) as wire:
        wire.socket.settimeout(limit_s(2))
        try:
            for _ in range(asked):
                wire.send(sent)
        except TimeoutError:
            pass  # the server has stopped reading
        assert served.family()[0].memory_info().rss - before < 50 << 20


@pytest.mark.parametrize("what", ["large", "large_path"])
@pytest.mark.parametrize("way", [b"", FIRST])
@pytest.mark.parametrize(
    "header", ["Range: bytes=0-3", "If-None-Match: *", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"]
)
def test_whole_result(served: Server, what: str, way: bytes, header: str) -> None:
    """Range and conditional headers do not apply to predictions."""
    with Wire(served) as wire:
        wire.send(way)
        if way:
            wire.answer()
        wire.send(post(f"returns_files/predict/?what={what}&accept=application/octet-stream", header))
        answer = wire.answer()
    assert (answer.status, len(answer.body)) == (200, 5_120_000)


def test_close(start: Callable[..., Server]) -> None:
    """`Connection: close` closes the connection right after the response."""
    server = start("--keepalive-timeout", AN_HOUR, models={"sources": MODELS["sources"]})
    with Wire(server) as wire:
        wire.send(post("sources/predict/", "Connection: close"))
        answer = wire.answer()
        assert answer.status == 200
        assert answer.headers["Connection"] == "close"
        wire.wait_until_closed(AT_ONCE_S)


@pytest.mark.parametrize("before", [b"", post("sources/predict/"), post("sources/predict/") * 2])
def test_idle(served: Server, before: bytes) -> None:
    """An idle connection is closed after --keepalive-timeout, not earlier."""
    with Wire(served) as wire:
        wire.send(before)
        for _ in range(before.count(b"POST")):
            wire.answer()
        lasted_s = wire.wait_until_closed(HEADERS_S + AT_ONCE_S)
    assert lasted_s > 0.8 * IDLE_S
    assert lasted_s < HEADERS_S or not before


def test_half_a_request(served: Server) -> None:
    """A connection with an incomplete second request is closed after the timeout."""
    with Wire(served) as wire:
        wire.send(post("sources/predict/"))
        assert wire.answer().status == 200
        wire.send(post("sources/predict/")[:30])
        assert wire.wait_until_closed(HEADERS_S + AT_ONCE_S) > 0.8 * IDLE_S


def test_longer_than_idle(served: Server, gate: Gate) -> None:
    """A connection is not idle while a prediction runs."""
    with Wire(served) as wire:
        wire.send(post(f"waiting/predict/?number=8&port={gate.port}"))
        gate.wait()
        wire.socket.settimeout(1.5 * IDLE_S)
        with pytest.raises(TimeoutError):
            wire.socket.recv(1)
        gate.open()
        wire.socket.settimeout(AT_ONCE_S)
        assert '\\"number\\":8' in wire.answer().body.decode()


@pytest.mark.every_engine
def test_stop_while_answering(start: Callable[..., Server], gate: Gate) -> None:
    """At SIGTERM, the server finishes running predictions and closes idle connections."""
    few = {name: MODELS[name] for name in ("sources", "waiting")}
    server = start("--drain-timeout", AN_HOUR, "--keepalive-timeout", AN_HOUR, models=few)
    with Wire(server) as idle, Wire(server) as busy:
        idle.send(post("sources/predict/"))
        assert idle.answer().status == 200
        busy.send(post(f"waiting/predict/?number=3&port={gate.port}"))
        gate.wait()
        server.process.send_signal(signal.SIGTERM)
        idle.wait_until_closed(AT_ONCE_S)
        gate.open()
        assert '\\"number\\":3' in busy.answer().body.decode()
        busy.wait_until_closed(AT_ONCE_S)


def test_stop_without_an_answer(start: Callable[..., Server], gate: Gate) -> None:
    """A prediction that exceeds --drain-timeout is aborted."""
    server = start("--drain-timeout", "0.5", models=MODELS)
    with Wire(server) as busy:
        busy.send(post(f"waiting/predict/?port={gate.port}"))
        gate.wait()
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        busy.wait_until_closed(AT_ONCE_S)
        assert time.monotonic() - began > 0.4


def test_leaving(served: Server, gate: Gate) -> None:
    """A client may disconnect during its prediction; the next prediction works."""
    with Wire(served) as wire:
        wire.send(post(f"waiting/predict/?port={gate.port}"))
        gate.wait()
    with served.client() as client:
        assert predicted(client, "waiting", json={"number": 1})["number"] == 1
        gate.open()
        busy = 'deepaas_workers{model="waiting",state="busy"} 0.0'
        wait_until(lambda: busy in client.get("/metrics").text)


def test_counted(served: Server, tmp_path: Path) -> None:
    """The fast path and aiohttp count predictions under the same route."""
    with served.client() as client, Wire(served) as wire:

        def count() -> float:
            line = (
                'deepaas_http_requests_total{method="POST",route="/v2/models/{model}/predict",status="422"} '
            )
            return float(client.get("/metrics").text.partition(line)[2].partition("\n")[0] or 0)

        before = count()
        wire.send(post("sources/predict/?split=a"))
        assert wire.answer().status == 422
        assert client.post("/v2/models/sources/predict/?split=a").status_code == 422
        assert count() == before + 2
