"""Errors: JSON of one format, the status that the model author chose, and the request id in the log."""

import json
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from deepaas.model.failures import strip_folders
from support.server import CALL_S, Server, predict, wait_until

SERVED = ["as_module", "raising", "trainable", "uploads"]

RAISED = [
    ("bad_request", 400, "my reason"),
    ("unavailable", 503, "try later"),
    ("aiohttp_with_an_error", 400, "'the cause'"),
    ("aiohttp_with_lines", 400, "two\nlines"),
    ("status", 418, "with status"),
    ("status_code", 409, "with status_code"),
    ("code", 503, "with code"),
    ("reason", 400, "but this"),
    ("not_implemented", 501, "not yet"),
    ("code_of_another_kind", 500, "Carrying: with an exit code"),
    ("code_as_text", 500, "Carrying: with a text"),
    ("value", 500, "ValueError: wrong value"),
    ("silent", 500, "RuntimeError"),
    ("lines", 500, "ValueError: two\nlines"),
    ("key", 500, "KeyError: 'missing key'"),
    ("exit", 500, "SystemExit: the model leaves"),
    ("interrupt", 500, "KeyboardInterrupt"),
]


@pytest.mark.every_engine
@pytest.mark.parametrize(("what", "status", "message"), RAISED)
def test_raised_by_the_model(client: httpx.Client, what: str, status: int, message: str) -> None:
    """An exception of a model becomes its status and message, or 500 with its class and message."""
    response = predict(client, "raising", params={"what": what})
    assert (response.status_code, response.json()) == (status, {"message": message})
    assert response.headers["content-type"].partition(";")[0] == "application/json"


@pytest.mark.every_engine
@pytest.mark.parametrize("what", ["teapot", "found", "unicode"])
def test_odd_exceptions(client: httpx.Client, what: str) -> None:
    """Redirects, HTTP errors with a text, and invalid Unicode are handled like other exceptions."""
    response = predict(client, "raising", params={"what": what})
    assert response.status_code >= 300
    assert list(response.json()) == ["message"]


@pytest.mark.every_engine
def test_traceback_is_logged(client: httpx.Client, server: Server) -> None:
    response = predict(client, "raising", params={"what": "value"})
    identity = response.headers["x-request-id"]
    server.output.wait_for(
        rf"ERROR \S+ \[{identity}\] .*ValueError: wrong value\nTraceback (?s:.)*raising.py"
    )


def test_ids_differ(client: httpx.Client) -> None:
    """Each response has a different request id, also for unknown routes."""
    answers = [client.get(path) for path in ("/v2/", "/v2/", "/nowhere")]
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


@pytest.mark.every_engine
def test_worker_survives(client: httpx.Client) -> None:
    """A worker keeps running if its model calls `sys.exit`."""
    for _ in range(3):
        assert predict(client, "raising", params={"what": "exit"}).status_code == 500


ROUTES = [
    ("GET", "/nowhere", 404),
    ("GET", "/v2/nowhere/", 404),
    ("GET", "/v2/models/nobody/", 404),
    ("POST", "/v2/models/nobody/predict/", 404),
    ("POST", "/v2/models/nobody/train/", 404),
    ("GET", "/v2/models/nobody/train/", 404),
    ("GET", "/v2/models/trainable/train/0123", 404),
    ("DELETE", "/v2/models/trainable/train/0123", 404),
    ("GET", "/static/nowhere.js", 404),
    ("GET", "/static/../app.py", 404),
    ("GET", "/static/%2e%2e/app.py", 404),
    ("GET", "/v2/models/as_module/predict/", 405),
    ("PUT", "/v2/models/as_module/predict/", 405),
    ("DELETE", "/v2/models/trainable/train/", 405),
    ("POST", "/v2/models/", 405),
    ("POST", "/", 405),
    ("PATCH", "/api", 405),
    ("GET", "/v2/models/%00/", 404),
    ("GET", "/v2/models/a%2Fb/", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), ROUTES)
def test_routes(client: httpx.Client, method: str, path: str, status: int) -> None:
    """Every route reports errors as `{"message": text}`."""
    response = client.request(method, path)
    assert response.status_code == status, response.text
    answer = response.json()
    assert list(answer) == ["message"]
    assert isinstance(answer["message"], str)
    assert response.headers["content-type"].partition(";")[0] == "application/json"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "TRACE"])
def test_only_post_predicts(server: Server, method: str) -> None:
    """This also holds for the first request of a connection, which may take the fast path."""
    with server.client() as client:
        assert client.request(method, "/v2/models/as_module/predict/").status_code == 405


@pytest.mark.parametrize(
    ("method", "path", "takes"),
    [
        ("GET", "/v2/models/as_module/predict/", "POST"),
        ("GET", "/v2/models/as_module/predict", "POST"),
        ("POST", "/v2/models/", "GET or HEAD"),
    ],
)
def test_405_says_what_it_takes(client: httpx.Client, method: str, path: str, takes: str) -> None:
    response = client.request(method, path, follow_redirects=True)
    assert (response.status_code, response.json()) == (405, {"message": f"Method not allowed. Use {takes}."})


@pytest.mark.parametrize("target", ["http://localhost/v2/", "http://other.example/v2/", "/v2/#x", "*"])
def test_targets(server: Server, target: str) -> None:
    """The server rejects targets that a proxy may interpret differently."""
    request = f"OPTIONS {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    response = exchange(server, request.encode())
    assert (response.status_code, "begins with /" in response.json()["message"]) == (400, True)


def test_405_lists_methods(client: httpx.Client) -> None:
    assert client.get("/v2/models/as_module/predict/").headers["allow"] == "POST"


MALFORMED = [
    b"nonsense\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nbroken header\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 100_000 + b"\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
]


def exchange(server: Server, request: bytes) -> httpx.Response:
    """Send bytes, read until the server closes the connection, and return the response."""
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port), timeout=CALL_S) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(1 << 16):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = [tuple(line.split(": ", 1)) for line in lines]
    return httpx.Response(int(first.split()[1]), headers=headers, content=body)


@pytest.mark.parametrize("number", range(len(MALFORMED)))
def test_malformed_http(server: Server, number: int) -> None:
    """A malformed request gets a 400 in the same format, and the server closes the connection."""
    response = exchange(server, MALFORMED[number])
    assert response.status_code == 400, response.text
    assert list(response.json()) == ["message"]
    assert response.headers["content-type"].partition(";")[0] == "application/json"


def test_hanging_up_in_the_middle(server: Server, client: httpx.Client) -> None:
    """A client that disconnects in the middle of its body does not affect others."""
    url = httpx.URL(server.url)
    request = (
        b"POST /v2/models/uploads/predict/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        b'--b\r\nContent-Disposition: form-data; name="one"; filename="a"\r\n\r\nhalf'
    )
    with socket.create_connection((url.host, url.port), timeout=CALL_S) as connection:
        connection.sendall(request)
    assert client.get("/v2/").status_code == 200


@pytest.fixture
def small(start: Callable[..., Server]) -> Server:
    """Return a server that accepts bodies of up to 1000 bytes."""
    return start(
        "--client-max-size", "1000", models={name: f"models.{name}" for name in ("uploads", "trainable")}
    )


def test_too_large(small: Server) -> None:
    """A body over --client-max-size gets a 413 in the same format, with and without Content-Length."""
    large: list[dict[str, Any]] = [
        {"files": {"one": ("a.txt", b"x" * 2000)}},
        {"content": json.dumps({"then": "x" * 2000}), "headers": {"Content-Type": "application/json"}},
        {"data": {"then": "x" * 2000}},
        {"content": iter([b"x" * 1500, b"x" * 1500]), "headers": {"Content-Type": "application/json"}},
    ]
    with small.client() as client:
        for request in large:
            response = predict(client, "uploads", **request)
            assert response.status_code == 413, response.text
            assert list(response.json()) == ["message"]
            assert "1000" in response.json()["message"]
        response = client.post("/v2/models/trainable/train/", files={"data": b"x" * 2000})
        assert (response.status_code, list(response.json())) == (413, ["message"])
        assert predict(client, "uploads", files={"one": b"x" * 500}).status_code == 200
    assert small.scratch_files() == []
    assert "ERROR" not in small.log


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("No such file: '/tmp/deepaas-scratch-x/1/a.png'", "No such file: '…/a.png'"),
        ("No such file: '/tmp/a folder/b (1).png'", "No such file: '…/b (1).png'"),
        ("/usr/lib/python3.11/site.py, line 3", "…/site.py, line 3"),
        ("cannot write /home/somebody/", "cannot write …/"),
        ("cannot read file:///etc/x/y.txt", "cannot read file://…/y.txt"),
        ("sqlite:////etc/a/b.db is locked", "sqlite:///…/b.db is locked"),
        ("host:/etc/a/b", "host:…/b"),
        ("postgresql://host/etc/x", "postgresql://host/etc/x"),
        ("Use POST /v2/models/x/predict.", "Use POST /v2/models/x/predict."),
        ("see https://example.org/usr/lib/x", "see https://example.org/usr/lib/x"),
        ("a/tmp/b or tmp/b", "a/tmp/b or tmp/b"),
    ],
)
def test_folders_of_the_server(message: str, shown: str) -> None:
    """Messages name files of the server without their folders; URLs and relative paths stay."""
    assert strip_folders(message) == shown


def test_no_answer_names_folders(start: Callable[..., Server]) -> None:
    """Responses never contain folders of the server; the log does, under the request's id."""
    server = start(models={"one": "models.faulty.names_folders"})
    with server.client() as client:
        record = f"/v2/models/one/train/{client.post('/v2/models/one/train/').json()['uuid']}"
        failed = predict(client, "one")
        refused = predict(client, "one", params={"what": "bad_request"})
        for answer in (failed, refused):
            server.output.wait_for(rf"\[{answer.headers['x-request-id']}\] .*/tmp/a folder/weights")
        wait_until(lambda: client.get(record).json()["status"] == "error")
        # Only the message is checked: the traceback in the record is output of the model, like the log.
        messages = [failed.text, refused.text, client.get(record).json()["message"]]
        predict(client, "one", params={"what": "die"})
        wait_until(lambda: "weights" in client.get("/health/ready").text)
        paths = ("/health/ready", "/v2/models/one/ready", "/v2/models/one/")
        messages += [client.get(path).text for path in paths]
        messages += [predict(client, "one").text, client.post("/v2/models/one/reload").text]
    for message in messages:
        assert "weights (1).pt" in message
        assert "/tmp" not in message
