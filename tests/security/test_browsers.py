"""Checks of `Host` and `Origin`, on the fast path and in aiohttp."""

from collections.abc import Iterator

import httpx
import pytest

from deepaas.http.browser_security import parse_origins
from support.raw_http import Wire
from support.server import Server, serving

MODELS = {"told": "models.faults.scripted"}
PREDICT = "/v2/models/told/predict/"
CHANGES = [
    ("POST", PREDICT),
    ("POST", "/v2/models/told/train/"),
    ("POST", "/v2/models/told/reload"),
    ("DELETE", f"/v2/models/told/train/{'0' * 32}"),
]
STRANGER = "https://stranger.example"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server on loopback, without tokens."""
    with serving(tmp_path_factory.mktemp("local"), models=MODELS) as server:
        yield server


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server on all interfaces, with two allowed hosts, without tokens."""
    flags = ("--listen-ip", "0.0.0.0", "--allowed-hosts", "models.example, Other.example.")
    with serving(tmp_path_factory.mktemp("named"), *flags, models=MODELS) as server:
        yield server


@pytest.fixture(scope="module")
def client(local: Server) -> Iterator[httpx.Client]:
    with local.client() as client:
        yield client


def statuses(server: Server, host: str) -> set[int]:
    """Return the statuses of predictions, on the fast path and in aiohttp, and of a GET."""
    with server.client(headers={"Host": host}) as client:
        responses = client.post(PREDICT), client.get("/v2/models/"), client.post(PREDICT)
    for response in responses:
        assert response.status_code == 200 or "--allowed-hosts" in response.json()["message"]
    return {response.status_code for response in responses}


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:80", "127.8.9.10:5000", "[::1]:5000", "localhost", "LocalHost.:8080"]
)
def test_own_hosts(local: Server, host: str) -> None:
    """A server on loopback accepts the machine's names and addresses, with any port."""
    assert statuses(local, host) == {200}


@pytest.mark.parametrize(
    "host",
    [
        "stranger.example",
        "stranger.example:5000",
        "localhost.stranger.example",
        "127.0.0.1.stranger.example",
        "notlocalhost",
        "localhost@stranger.example",
        "localhost, stranger.example",
        "192.0.2.1",
        "[::2]",
        "[localhost]",
        "models.example",
    ],
)
def test_foreign_hosts(local: Server, host: str) -> None:
    """The error names the option that allows the host."""
    assert statuses(local, host) == {403}


def test_no_host_no_browser(local: Server) -> None:
    """Health checks in HTTP/1.0 send no Host header; browsers always do."""
    with Wire(local) as wire:
        wire.send(b"GET /health/ready HTTP/1.0\r\n\r\n")
        assert wire.answer().status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("models.example", 200),
        ("MODELS.example:8443", 200),
        ("other.example", 200),
        ("localhost:5000", 200),
        ("127.0.0.1", 200),  # the address that the client connected to, as in container probes
        ("sub.models.example", 403),
        ("192.0.2.1", 403),
    ],
)
def test_allowed_hosts(named: Server, host: str, status: int) -> None:
    """With --allowed-hosts, hosts are checked on any interface."""
    assert statuses(named, host) == {status}


def test_warning_beyond_this_machine(named: Server, local: Server) -> None:
    """A server on all interfaces warns at startup about missing tokens; one on loopback does not."""
    assert "WARNING deepaas.run [-] No tokens are set: anybody who can reach 0.0.0.0" in named.log
    assert "--auth-token-file" in named.log
    assert "WARNING" not in local.log


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    "origin",
    [STRANGER, "http://localhost:3000", "http://127.0.0.1", "null", "file://", "chrome-extension://x"],
)
def test_foreign_origins(client: httpx.Client, method: str, path: str, origin: str) -> None:
    """Pages of other origins are rejected, and the message names the option."""
    response = client.request(method, path, headers={"Origin": origin})
    assert response.status_code == 403
    assert "--cors-origin" in response.json()["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:{port}"},
        {"Origin": "https://127.0.0.1:{port}"},  # a proxy terminates TLS
        {"Origin": "http://localhost", "Host": "localhost:80"},
        {"Origin": "https://localhost:8443", "Host": "localhost:8443"},
        # A proxy changes the Host header.
        {"Origin": STRANGER, "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_own_origin(client: httpx.Client, headers: dict[str, str]) -> None:
    """Pages of this server may call it, also behind a proxy."""
    sent = {name: text.format(port=client.base_url.port) for name, text in headers.items()}
    assert client.post(PREDICT, headers=sent).status_code == 200
    assert client.post("/v2/models/told/reload", headers=sent).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_other_sites(client: httpx.Client, site: str) -> None:
    """Other values of `Sec-Fetch-Site` do not allow a foreign origin."""
    headers = {"Origin": STRANGER, "Sec-Fetch-Site": site}
    assert client.post(PREDICT, headers=headers).status_code == 403


def test_reading(client: httpx.Client) -> None:
    """GET is allowed from any origin, because its pages cannot read the response."""
    response = client.get("/v2/models/", headers={"Origin": STRANGER})
    assert response.status_code == 200
    assert "Access-Control-Allow-Origin" not in response.headers


def test_origins_are_read_as_browsers_write_them() -> None:
    """Case and a final slash are ignored."""
    assert parse_origins("https://Two.Example/, http://b:81") == {"https://two.example", "http://b:81"}
