"""What browsers may ask for the pages of others, and what responses tell browsers."""

from collections.abc import Iterator

import httpx
import pytest

from deepaas.errors import NotAllowed
from deepaas.http.browsers import Browsers
from deepaas.settings import Settings
from serving import Server, serving
from support.models import HEALTHY

MODELS = {
    "counts": HEALTHY["counts"],
    "trainable": HEALTHY["trainable"],
    "returns_files": HEALTHY["returns_files"],
}
TRAIN = "/v2/models/trainable/train/"
CHANGES = [
    ("POST", "/v2/models/counts/predict"),
    ("POST", "/v2/models/counts/predict/?x=1"),
    ("POST", TRAIN),
    ("POST", "/v2/models/counts/reload"),
    ("DELETE", f"{TRAIN}{'a' * 32}"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server without tokens."""
    with serving(tmp_path_factory.mktemp("open"), models=MODELS) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    """Return a client of that server."""
    with server.client() as client:
        yield client


def refusal(settings: Settings, method: str, *, has_tokens: bool = False, **headers: str) -> str:
    """Return why a request is refused, or an empty text."""
    browsers = Browsers(settings, has_tokens=has_tokens)
    try:
        browsers.check(method, {name.capitalize(): value for name, value in headers.items()})
    except NotAllowed as error:
        return error.message
    return ""


LOCAL = Settings()
NAMED = Settings(allowed_hosts="models.example.org, other.example")
EVERYWHERE = Settings(listen_ip="0.0.0.0")


@pytest.mark.parametrize(
    ("settings", "host", "is_known"),
    [
        *(
            (LOCAL, host, True)
            for host in ("127.0.0.1:5000", "localhost", "LOCALHOST:1", "[::1]:5000", "127.0.0.9", "")
        ),
        *(
            (LOCAL, host, False)
            for host in ("evil.example:5000", "127.0.0.1.evil.example", "192.0.2.1", "::2", "a:b")
        ),
        *((NAMED, host, True) for host in ("models.example.org", "other.example.:443", "localhost:5000")),
        (NAMED, "evil.example", False),
        (Settings(allowed_hosts="*"), "evil.example", True),
        (Settings(listen_ip="127.0.0.5"), "127.0.0.5:5000", True),
        (EVERYWHERE, "whatever.example", True),
        (Settings(listen_ip="0.0.0.0", allowed_hosts="a.example"), "b.example", False),
    ],
)
def test_hosts(settings: Settings, host: str, *, is_known: bool) -> None:
    """Without tokens, a server for this machine alone takes its own names; others where they are allowed."""
    found = refusal(settings, "GET", host=host)
    assert (found == "") == is_known
    assert is_known or "--allowed-hosts" in found


def test_hosts_with_tokens() -> None:
    """With tokens, a page has nothing that lets it in, so that any name will do."""
    assert refusal(LOCAL, "GET", has_tokens=True, host="models.example.org") == ""


@pytest.mark.parametrize(
    ("settings", "host", "origin", "is_known"),
    [
        (LOCAL, "localhost:5000", "http://localhost:5000", True),
        (LOCAL, "localhost:5000", "http://localhost:5001", False),
        (LOCAL, "localhost:5000", "http://127.0.0.1:5000", False),
        (LOCAL, "localhost:5000", "null", False),
        (LOCAL, "localhost:5000", "", False),
        (NAMED, "127.0.0.1:5000", "https://models.example.org", True),
        (NAMED, "127.0.0.1:5000", "https://evil.example", False),
        (EVERYWHERE, "a.example", "https://a.example", True),
        (EVERYWHERE, "a.example", "https://b.example", False),
        (Settings(cors_origin="https://b.example/"), "localhost", "https://b.example", True),
        (Settings(cors_origin="*"), "localhost", "null", True),
    ],
)
@pytest.mark.parametrize("has_tokens", [True, False])
def test_origins(
    settings: Settings,
    host: str,
    origin: str,
    *,
    is_known: bool,
    has_tokens: bool,
) -> None:
    """Pages of other origins change nothing, unless their origin is allowed; they may try to read."""
    found = refusal(settings, "POST", has_tokens=has_tokens, host=host, origin=origin)
    assert (found == "") == is_known
    assert is_known or ("--cors-origin" in found and "--allowed-hosts" in found)
    assert refusal(settings, "GET", has_tokens=has_tokens, host=host, origin=origin) == ""


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_foreign_requests(client: httpx.Client, method: str, path: str) -> None:
    """Every way to change something is closed to other origins and hosts, on both ways to an answer."""
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        response = client.request(method, path, headers=headers)
        assert response.status_code == 403, response.text
        assert "evil.example" in response.json()["message"]
    own = {"Origin": str(client.base_url).rstrip("/")}
    assert client.request(method, path, headers=own).status_code != 403
    assert client.get("/v2/models/", headers={"Host": "evil.example"}).status_code == 403
    assert client.get("/health/live", headers={"Host": "10.0.0.7:5000"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/models/counts/predict"),
        ("POST", "/v2/models/counts/predict?y=1"),
        ("POST", "/v2/models/returns_files/predict?what=large_path&accept=application/octet-stream"),
        ("GET", TRAIN),
        ("GET", "/v2/models/"),
        ("GET", "/no/such/path"),
    ],
)
def test_headers(client: httpx.Client, method: str, path: str) -> None:
    """No browser guesses another type, keeps what is private, or runs what a model made."""
    headers = client.request(method, path, headers={"X-Way": "ordinary", "Expect": ""}).headers
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
    if path.endswith("predict") or "predict?" in path:
        assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


def test_pages(client: httpx.Client) -> None:
    """No page of another origin may show ours in a frame."""
    for path in ("/api", "/ui"):
        assert "frame-ancestors 'self'" in client.get(path).headers["Content-Security-Policy"]
