"""Errors of the client, one class for each kind, and retries."""

import http.server
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from deepaas.client import (
    BadRequest,
    Client,
    DeepaasError,
    EndpointDisabled,
    Forbidden,
    FunctionNotImplemented,
    ModelNotFound,
    ModelUnavailable,
    PayloadTooLarge,
    PredictionFailed,
    PredictionTimeout,
    ServerUnreachable,
    TrainingNotFound,
    Unauthorized,
    UnexpectedResponse,
)
from support.machine import timeout_s
from support.server import CALL_S, Gate, Server, serving, wait_until

MODELS = {"told": "models.faults.scripted", "raising": "models.raising", "predicts": "models.only_predict"}


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server with tokens, a base path and low limits."""
    folder = tmp_path_factory.mktemp("limited")
    (folder / "tokens").write_text("all\npredictor predict\n")
    flags = ("--base-path", "/x/y", "--auth-token-file", str(folder / "tokens"))
    limits = ("--predict-timeout", str(timeout_s(2)), "--client-max-size", "1000")
    with serving(folder, *flags, *limits, models=MODELS) as server:
        yield server


@pytest.fixture(scope="module")
def asking(limited: Server) -> Iterator[Client]:
    """Return a client with all scopes."""
    with Client(limited.url, "all", retry_timeout_s=0) as client:
        yield client


@pytest.mark.parametrize(
    ("what", "kind", "status", "message"),
    [
        ("bad_request", BadRequest, 400, "my reason"),
        ("status", PredictionFailed, 418, "with status"),
        ("value", PredictionFailed, 500, "ValueError: wrong value"),
        ("not_implemented", FunctionNotImplemented, 501, "not yet"),
        ("unavailable", ModelUnavailable, 503, "try later"),
    ],
)
def test_of_models(asking: Client, what: str, kind: type[DeepaasError], status: int, message: str) -> None:
    """A model's exception arrives with its status and text."""
    with pytest.raises(kind) as caught:
        asking["raising"].predict(what=what)
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.message) == (status, message)


QUESTIONS: dict[str, tuple[type[DeepaasError], Callable[[Client], Any]]] = {
    "model": (ModelNotFound, lambda client: client["no"].metadata()),
    "odd_model": (ModelNotFound, lambda client: client["../../health/live"].metadata()),
    "training": (TrainingNotFound, lambda client: client["told"].training("0" * 32).record()),
    "wait": (TrainingNotFound, lambda client: client["told"].training("0" * 32).wait()),
    "events": (TrainingNotFound, lambda client: list(client["told"].training("no").events())),
    "train": (FunctionNotImplemented, lambda client: client["predicts"].train()),
    "large": (PayloadTooLarge, lambda client: client["told"].predict(data=bytes(10_000))),
    "slow": (PredictionTimeout, lambda client: client["told"].predict(spin_s=20)),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_of_servers(asking: Client, question: str) -> None:
    """Each error of the server has its own class, with the server's message."""
    kind, ask = QUESTIONS[question]
    with pytest.raises(kind) as caught:
        ask(asking)
    assert caught.value.status == kind.status
    assert caught.value.message


def test_tokens(limited: Server) -> None:
    """Requests without a token, or without the scope, raise."""
    for token in (None, "wrong"):
        with Client(limited.url, token) as client, pytest.raises(Unauthorized):
            client["told"].predict()
    with Client(limited.url, "predictor") as client:
        client["told"].predict()
        with pytest.raises(Forbidden, match="scope"):
            client["told"].train()


def test_switched_off(start: Callable[..., Server]) -> None:
    """A disabled endpoint raises EndpointDisabled."""
    server = start("--nopredict-endpoint", "--notrain-endpoint", models=MODELS)
    with Client(server.url) as client:
        for function in (client["told"].predict, client["told"].train):
            with pytest.raises(EndpointDisabled):
                function()


def test_https(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    """A self-signed certificate is rejected by default, and accepted with a matching `verify`."""
    cert, key = certificate
    flags = ("--tls-cert", str(cert), "--tls-key", str(key))
    with serving(tmp_path, *flags, models=MODELS) as server:
        for verify in (str(cert), cert, False):
            with Client(server.url, verify=verify) as client:
                assert client["told"].predict()["status"] == "OK"
        with Client(server.url) as client, pytest.raises(ServerUnreachable, match="CERTIFICATE"):
            client["told"].predict()


def test_unreachable() -> None:
    """The error is immediate and has the address."""
    with Client("http://127.0.0.1:1") as client:
        for ask in (client.models, client["told"].predict, client["told"].train):
            with pytest.raises(ServerUnreachable, match=r"http://127\.0\.0\.1:1/"):
                ask()


def test_wrong_path(limited: Server) -> None:
    """With a wrong base path, the error has the requested URL."""
    wrong = limited.url.removesuffix("/y")
    with Client(wrong, "all") as client:
        for ask, path in ((client.models, "/v2/models/"), (client["told"].predict, "/openapi.json")):
            with pytest.raises(UnexpectedResponse) as caught:
                ask()
            assert caught.value.message == f"{wrong}{path} answered 404: Not Found"
            assert caught.value.status == 404


@pytest.mark.parametrize("url", ["127.0.0.1:5000", "", "ftp://127.0.0.1"])
def test_no_address(url: str) -> None:
    """An invalid URL raises before any request."""
    with pytest.raises(ValueError, match="http://"):
        Client(url)


class Stranger(http.server.BaseHTTPRequestHandler):
    """Another kind of server: it returns a page, or cuts the connection."""

    def do_GET(self) -> None:
        if self.path == "/v2/models/":
            self.close_connection = True
            return
        content = b"<p>hello</p>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def test_stranger() -> None:
    """Responses of other servers, and cut connections, raise the client's errors."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        with Client(f"http://127.0.0.1:{stranger.server_port}/") as client:
            with pytest.raises(UnexpectedResponse, match="not an OpenAPI document"):
                client["told"].predict()
            with pytest.raises(ServerUnreachable):
                client.models()
            with pytest.raises(UnexpectedResponse, match="not JSON"):
                client["told"].training("x").wait()
            with pytest.raises(UnexpectedResponse, match=r"/events sent no events: .*Content-Type"):
                next(client["told"].training("x").events())
        stranger.shutdown()


@pytest.fixture
def busy(start: Callable[..., Server], gate: Gate) -> Iterator[Server]:
    """Return a server whose only worker and queue slot are busy until the gate opens."""
    server = start("--max-queue", "1", models=MODELS)
    with Client(server.url) as client, ThreadPoolExecutor(2) as threads:
        running = [threads.submit(client["told"].predict, port=gate.port)]
        gate.wait()
        running.append(threads.submit(client["told"].predict))
        with server.client() as http_client:
            wait_until(lambda: 'queue_length{model="told"} 1.0' in http_client.get("/metrics").text)
        yield server
        gate.open()
        assert [one.result(CALL_S)["status"] for one in running] == ["OK", "OK"]


def test_unavailable(busy: Server) -> None:
    """Without a retry timeout, a 503 raises, with the seconds of Retry-After."""
    with Client(busy.url, retry_timeout_s=0.5) as client, pytest.raises(ModelUnavailable) as caught:
        client["told"].predict()
    assert caught.value.retry_after_s == 1


def test_patience(busy: Server, gate: Gate, tmp_path: Path) -> None:
    """With a retry timeout, a rejected call is sent again after Retry-After, with its file."""
    (tmp_path / "a.txt").write_text("x")
    with Client(busy.url) as client, ThreadPoolExecutor(1) as threads, busy.client() as http_client:
        began = time.monotonic()
        refused = threads.submit(client["told"].predict, data=tmp_path / "a.txt")
        wait_until(lambda: 'status="503"' in http_client.get("/metrics").text)
        gate.open()
        assert refused.result(CALL_S)["status"] == "OK"
        assert time.monotonic() - began >= 1


def test_not_asked_again(start: Callable[..., Server]) -> None:
    """A 503 without Retry-After raises at once, whatever the retry timeout."""
    server = start(models={"versioned": "models.training.versioned"})
    (server.cwd / "version").write_text("broken")
    with Client(server.url, retry_timeout_s=2) as client, server.client() as http_client:
        with pytest.raises(
            ModelUnavailable, match=r"the current workers keep serving.*these weights are broken"
        ):
            client["versioned"].reload()
        asked = re.findall(
            r'deepaas_http_requests_total{.*status="503"} (.*)', http_client.get("/metrics").text
        )
    assert asked == ["1.0"]


def test_not_installed() -> None:
    """Without the client's dependencies, the ImportError says what to install."""
    hide = "import sys; sys.modules['httpx'] = None; import deepaas.client"
    done = subprocess.run(
        [sys.executable, "-c", hide], text=True, capture_output=True, timeout=CALL_S, check=False
    )
    assert "pip install 'deepaas[client]'" in done.stderr.splitlines()[-1]
