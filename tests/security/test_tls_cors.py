"""HTTPS, and CORS."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from support.server import Server, environment, run_until_exit, serving
from support.server import _command as command

MODELS = {"told": "models.faults.scripted"}
MINE = "https://mine.example"


def test_https(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    """With a certificate and a key, the server accepts only HTTPS."""
    cert, key = certificate
    flags = ("--tls-cert", str(cert), "--tls-key", str(key))
    server = Server(command(tmp_path, flags), tmp_path, environment(tmp_path, MODELS, {}), tmp_path)
    try:
        check_https(server, cert)
        server.stop()
    finally:
        server.kill()


def check_https(server: Server, cert: Path) -> None:
    """HTTPS works for clients that trust the certificate; HTTP does not."""
    url = server.output.wait_for(r"Serving .* on (\S+)\n")[1]
    assert url.startswith("https://")
    with httpx.Client(base_url=url, verify=ssl.create_default_context(cafile=str(cert))) as client:
        assert client.get("/v2/").status_code == 200
        assert client.post("/v2/models/told/predict/", json={"number": 2}).status_code == 200
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{url}/v2/")
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url.replace('https', 'http')}/v2/")


@pytest.mark.parametrize(
    "flags", [("--tls-cert", "cert.pem"), ("--tls-cert", "none.pem", "--tls-key", "none.pem")]
)
def test_unusable_certificate(tmp_path: Path, certificate: tuple[Path, Path], flags: tuple[str, ...]) -> None:
    """A missing key or certificate stops the start with a message."""
    ended = run_until_exit(tmp_path, *flags, models=MODELS)
    assert ended.returncode != 0
    assert "Traceback" not in ended.stdout
    assert "--tls-key" in ended.stdout or "none.pem" in ended.stdout


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Return a client of a server with a token that allows CORS for one origin."""
    folder = tmp_path_factory.mktemp("shared")
    env = {"DEEPAAS_AUTH_TOKEN": "t"}
    with serving(folder, "--cors-origin", MINE, models=MODELS, env=env) as server, server.client() as client:
        yield client


def test_simple_request(shared: httpx.Client) -> None:
    """Pages of the allowed origin may read responses, errors and the request id."""
    for path, status in (("/v2/", 200), ("/v2/models/", 401), ("/nothing", 404)):
        response = shared.get(path, headers={"Origin": MINE})
        assert response.status_code == status
        assert response.headers["Access-Control-Allow-Origin"] == MINE
        assert "X-Request-ID" in response.headers["Access-Control-Expose-Headers"]
        assert "Origin" in response.headers["Vary"]


def test_preflight(shared: httpx.Client) -> None:
    """A preflight needs no token, and allows the requested method and headers."""
    headers = {
        "Origin": MINE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    response = shared.options("/v2/models/told/predict/", headers=headers)
    assert response.status_code in (200, 204)
    assert response.headers["Access-Control-Allow-Origin"] == MINE
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert "authorization" in response.headers["Access-Control-Allow-Headers"].lower()
    assert response.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://mine.example.evil", "null", "http://mine.example"]
)
def test_other_origins(shared: httpx.Client, origin: str) -> None:
    """Pages of other origins may not read responses."""
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for response in (shared.get("/v2/", headers=headers), shared.options("/v2/", headers=headers)):
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(
    ("origin", "status"), [(MINE, 200), ("http://mine.example", 403), ("https://evil.example", 403)]
)
def test_changes(shared: httpx.Client, origin: str, status: int) -> None:
    """Only pages of the allowed origin may predict, even with a token."""
    headers = {"Origin": origin, "Authorization": "Bearer t"}
    assert shared.post("/v2/models/told/predict/", headers=headers).status_code == status


def test_no_cors_by_default(start: Callable[..., Server]) -> None:
    server = start(models=MODELS)
    with server.client() as client:
        response = client.get("/v2/", headers={"Origin": MINE})
    assert "Access-Control-Allow-Origin" not in response.headers


def test_every_origin(start: Callable[..., Server]) -> None:
    server = start("--cors-origin", "*", models=MODELS)
    with server.client() as client:
        response = client.get("/v2/", headers={"Origin": MINE})
        assert client.post("/v2/models/told/predict/", headers={"Origin": MINE}).status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] in ("*", MINE)
