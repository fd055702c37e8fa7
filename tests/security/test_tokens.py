"""Bearer tokens, their scopes, and public routes."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.server import Server, serving

MODELS = {"told": "models.faults.scripted"}
TOKENS = """
# a comment
reader predict
trainer train
both predict,train
root admin
all
"""
PREDICT = ("POST", "/v2/models/told/predict/")
TRAINING = ("GET", "/v2/models/told/train/")
RELOAD = ("POST", "/v2/models/told/reload")
MODELS_PAGE = ("GET", "/v2/models/")
FIGURES = ("GET", "/metrics")
DEBUG = ("GET", "/v2/debug")
PROTECTED = [PREDICT, TRAINING, RELOAD, MODELS_PAGE, FIGURES, DEBUG, ("POST", TRAINING[1])]
OPEN = [
    "/",
    "/v2/",
    "/health/live",
    "/health/ready",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/told/ready",
]
PAGES = ["/api", "/swagger.json", "/openapi.json", "/static/api/api.js", "/ui", "/static/ui/main.js"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "tokens").write_text(TOKENS)
    with serving(
        folder, "--auth-token-file", str(folder / "tokens"), "--debug-endpoint", models=MODELS
    ) as server:
        yield server


@pytest.fixture(scope="module")
def client(guarded: Server) -> Iterator[httpx.Client]:
    """Return a client without a token."""
    with guarded.client() as client:
        yield client


def status(client: httpx.Client, token: str, what: tuple[str, str]) -> int:
    return client.request(*what, headers={"Authorization": f"Bearer {token}"}).status_code


@pytest.mark.parametrize("what", PROTECTED, ids=" ".join)
@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", "Bearer readerx", "Basic cmVhZGVyOg==", "é"]
)
def test_without_a_token(client: httpx.Client, what: tuple[str, str], header: str | None) -> None:
    """A missing or unknown token gets a 401 in JSON, which explains how to send one."""
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    response = client.request(*what, headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert "token" in response.json()["message"]
    assert response.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("token", "allowed"),
    [
        ("reader", {PREDICT, MODELS_PAGE, FIGURES}),
        ("trainer", {TRAINING, MODELS_PAGE, FIGURES}),
        ("both", {PREDICT, TRAINING, MODELS_PAGE, FIGURES}),
        ("root", {RELOAD, DEBUG, MODELS_PAGE, FIGURES}),
        ("all", {PREDICT, TRAINING, RELOAD, DEBUG, MODELS_PAGE, FIGURES}),
    ],
)
def test_scopes(client: httpx.Client, token: str, allowed: set[tuple[str, str]]) -> None:
    """A token without scopes has all of them."""
    for what in (PREDICT, TRAINING, RELOAD, DEBUG, MODELS_PAGE, FIGURES):
        assert status(client, token, what) == (200 if what in allowed else 403), what


def test_forbidden(client: httpx.Client) -> None:
    """The error names the required scope."""
    response = client.request(*RELOAD, headers={"Authorization": "Bearer reader"})
    assert response.json() == {"message": "Forbidden: this endpoint requires a token with scope 'admin'."}


@pytest.mark.parametrize("path", OPEN + PAGES)
def test_open_places(client: httpx.Client, path: str) -> None:
    """Health, versions and documentation are public."""
    assert client.get(path).status_code == 200


def test_head_needs_a_token_too(client: httpx.Client) -> None:
    assert client.head("/v2/models/").status_code == 401
    assert client.head("/v2/models/told/train/").status_code == 401


@pytest.mark.parametrize(
    "path", ["//v2/models/", "/v2//models/", "/v2/models/%2e%2e/models/", "/v2/./models/told/train"]
)
def test_no_way_around(client: httpx.Client, path: str) -> None:
    """No spelling of a path bypasses the token."""
    assert client.get(path).status_code in (401, 404)


def test_hosts_with_tokens(client: httpx.Client) -> None:
    """With tokens, the server accepts every host name, as behind a proxy."""
    headers = {"Host": "models.example", "Authorization": "Bearer reader"}
    for _ in ("fast path", "ordinary"):
        assert client.request(*PREDICT, headers=headers).status_code == 200
        assert client.request(*MODELS_PAGE, headers=headers).status_code == 200


def test_security_schemes(client: httpx.Client) -> None:
    """Both documents declare the token, so that Swagger UI shows its Authorize button."""
    swagger, openapi = client.get("/swagger.json").json(), client.get("/openapi.json").json()
    (name,) = swagger["securityDefinitions"]
    assert swagger["securityDefinitions"][name]["in"] == "header"
    assert swagger["securityDefinitions"][name]["name"] == "Authorization"
    (name,) = openapi["components"]["securitySchemes"]
    scheme = openapi["components"]["securitySchemes"][name]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for document in (swagger, openapi):
        predict = document["paths"]["/v2/models/told/predict/"]["post"]
        assert predict.get("security", document.get("security"))


@pytest.mark.parametrize("document", ["/swagger.json", "/openapi.json"])
def test_open_operations(client: httpx.Client, document: str) -> None:
    """Exactly the operations that the documents declare as public work without a token."""
    published = client.get(document).json()
    for path, operations in published["paths"].items():
        for method, operation in operations.items():
            answered = client.request(method, path.format(uuid="0" * 32, path="x")).status_code
            assert (answered == 401) == bool(operation.get("security", published["security"])), (method, path)


def test_tokens_are_not_logged(guarded: Server, client: httpx.Client) -> None:
    """Neither valid nor invalid tokens are logged."""
    status(client, "wrong-and-secret", PREDICT)
    status(client, "trainer", PREDICT)
    client.get("/health/live")
    assert "wrong-and-secret" not in guarded.log
    assert "Bearer trainer" not in guarded.log


def test_debug_endpoint_warns(guarded: Server) -> None:
    assert "WARNING deepaas.run [-] The debug endpoint" in guarded.log


def test_token_of_the_environment(tmp_path: Path) -> None:
    """DEEPAAS_AUTH_TOKEN is a token with all scopes."""
    with (
        serving(tmp_path, models=MODELS, env={"DEEPAAS_AUTH_TOKEN": "of the env"}) as server,
        server.client() as client,
    ):
        for what in (PREDICT, RELOAD, TRAINING):
            assert client.request(*what).status_code == 401
            assert status(client, "of the env", what) == 200
        assert "of the env" not in server.log
