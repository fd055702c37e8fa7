"""Versions, metadata of models, pages, disabled endpoints, and output of models."""

import re
from collections.abc import Callable

import httpx
import pytest

from support.server import Server, predict, predicted

SERVED = ["as_module", "processes", "trainable", "unpicklable"]

VERSION = {
    "version": "stable",
    "id": "v2",
    "links": [{"rel": "self", "type": "application/json", "href": "/v2/"}],
}
LINKS = [
    {"rel": "help", "type": "text/html", "href": "/api"},
    {"rel": "describedby", "type": "application/json", "href": "/swagger.json"},
]


def prefix_links(base: str, value: object) -> object:
    """Prefix all links with a base path."""
    if isinstance(value, dict):
        return {
            key: base + item if key == "href" else prefix_links(base, item) for key, item in value.items()
        }
    return [prefix_links(base, item) for item in value] if isinstance(value, list) else value


def test_versions(client: httpx.Client) -> None:
    response = client.get("/")
    assert response.json() == {"versions": [VERSION], "links": LINKS}
    assert response.headers["content-type"].partition(";")[0] == "application/json"


@pytest.mark.parametrize("path", ["/v2/", "/v2"])
def test_version(client: httpx.Client, path: str) -> None:
    assert client.get(path).json() == VERSION


@pytest.mark.parametrize("path", ["/v2/models/", "/v2/models"])
def test_models(client: httpx.Client, path: str) -> None:
    """External checks search the text of the response for these keys."""
    response = client.get(path)
    models = response.json()["models"]
    assert client.get("/v2/models/as_module/").json() in models
    for word in ('"id":', '"name":', '"author":', '"license":'):
        assert word in response.text


@pytest.mark.parametrize("slash", ["", "/"])
def test_final_slash(client: httpx.Client, slash: str) -> None:
    assert client.get(f"/v2/models/as_module{slash}").json()["version"] == "7"
    response = client.post(f"/v2/models/as_module/predict{slash}", json={"data": "x"}, follow_redirects=True)
    assert response.json()["predictions"] == "module x"
    assert client.get(f"/v2/models/trainable/train{slash}").status_code == 200
    assert client.get(f"/v2/debug{slash}").status_code == 204
    assert client.get(f"/api{slash}", follow_redirects=True).status_code == 200


def test_debug_is_off(client: httpx.Client) -> None:
    response = client.get("/v2/debug/")
    assert (response.status_code, response.content) == (204, b"")


def test_page(client: httpx.Client) -> None:
    """Swagger UI loads everything from this server."""
    page = client.get("/api")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert addresses
    for address in addresses:
        assert "//" not in address
        found = client.get(str(httpx.URL(f"{client.base_url}/api").join(address)))
        assert found.status_code == 200, address
    script = client.get("/static/api/api.js").text
    assert "http:" not in script
    assert "https:" not in script


def test_page_for_people(client: httpx.Client) -> None:
    page = client.get("/ui")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    for address in re.findall(r'(?:src|href)="([^"]*)"', page.text):
        assert client.get(str(page.url.join(address))).status_code == 200, address


def test_page_runs_no_script_but_ours(client: httpx.Client) -> None:
    page = client.get("/ui")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert not re.search(r"<script(?![^>]* src=)|<style|style=|\bon\w+=", page.text)
    assert client.get("/static/ui/main.js").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("slash", ["", "/"])
def test_page_of_a_model(client: httpx.Client, slash: str) -> None:
    """Some platforms append /ui to a model's URL."""
    page = client.get(f"/v2/models/as_module/ui{slash}")
    assert page.status_code == 302
    assert str(page.url.join(page.headers["location"])) == f"{client.base_url}/ui#/as_module"
    assert client.get("/v2/models/nobody/ui").status_code == 404


def test_switched_off(start: Callable[..., Server]) -> None:
    """Disabled endpoints return 402 and disabled pages 404; other routes keep working."""
    server = start(
        "--nopredict-endpoint",
        "--notrain-endpoint",
        "--nodoc-endpoint",
        models={"trainable": "models.trainable"},
    )
    with server.client() as client:
        for method, path in (
            ("POST", "predict/"),
            ("POST", "predict"),
            ("POST", "train/"),
            ("GET", "train/"),
            ("GET", "train/0"),
            ("DELETE", "train/0"),
        ):
            response = client.request(method, f"/v2/models/trainable/{path}")
            assert (response.status_code, list(response.json())) == (402, ["message"])
        for path in ("/api", "/ui", "/v2/models/trainable/ui", "/static/ui/main.js"):
            assert client.get(path).status_code == 404
        paths = client.get("/openapi.json").json()["paths"]
        for verb in ("predict", "train"):
            said = paths[f"/v2/models/trainable/{verb}/"]["post"]["x-unavailable"]
            assert said == f"This server was started with --no{verb}-endpoint."
        assert client.get("/v2/models/trainable/").status_code == 200
        assert client.get("/swagger.json").status_code == 200
        assert "/api" not in client.get("/").text
    assert "ERROR" not in server.log


def test_base_path(start: Callable[..., Server]) -> None:
    """With --base-path, all routes and links have the prefix, and nothing is served outside it."""
    server = start("--base-path", "/x/y", models={"as_module": "models.as_module"})
    with server.client() as client:
        assert str(client.base_url).endswith("/x/y/")
        assert client.get("/").json() == prefix_links("/x/y", {"versions": [VERSION], "links": LINKS})
        assert client.get("").json() == client.get("/").json()
        assert client.get("/v2/").json() == prefix_links("/x/y", VERSION)
        assert client.get("/v2/models/").json()["models"][0]["links"][0]["href"] == "/x/y/v2/models/as_module"
        assert predict(client, "as_module", params={"data": "x"}).json()["predictions"] == "module x"
        assert client.get("/swagger.json").json()["basePath"] == "/x/y"
        for path in ("/api", "/ui", "/api/", "/ui/"):
            page = client.get(path, follow_redirects=True)
            assert page.status_code == 200
            assert page.headers["content-type"].startswith("text/html")
            for address in re.findall(r'(?:src|href)="([^"]*)"', page.text):
                assert client.get(str(page.url.join(address))).status_code == 200
        outside = str(client.base_url).replace("/x/y/", "/")
        assert client.get(outside).status_code == 404
        assert list(client.get(outside + "v2/").json()) == ["message"]
    assert "ERROR" not in server.log


@pytest.mark.every_engine
def test_debug(start: Callable[..., Server]) -> None:
    """/v2/debug returns output and log lines of models, which still appear in the server's output."""
    server = start("--debug-endpoint", models={"processes": "models.processes"})
    said = ["printed by a model", "to stderr", "said by a command", "logged by a model"]
    with server.client() as client:
        assert predicted(client, "processes", params={"what": "talk"}) is None
        for words in said:
            server.output.wait_for(words)
        response = client.get("/v2/debug/")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    for words in said:
        assert words in response.text
    assert "Serving processes on" in response.text


@pytest.mark.every_engine
@pytest.mark.parametrize(
    ("what", "answer"),
    [("process", 42), ("daemon", 42), ("pool", 3), ("thread", True)],
)
def test_processes_and_threads(client: httpx.Client, what: str, answer: object) -> None:
    assert predicted(client, "processes", params={"what": what}) == answer


@pytest.mark.every_engine
@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("subprocess", "hello\n"),
        ("metadata", "Tiny."),
        ("stdin", ""),
        ("closed", "it closed its standard input"),
    ],
)
def test_what_models_do(client: httpx.Client, what: str, answer: str) -> None:
    """A worker may run commands, read its distribution's metadata, and close standard input."""
    response = predict(client, "processes", params={"what": what})
    assert response.json() == {"status": "OK", "predictions": answer}


@pytest.mark.every_engine
def test_working_directory(client: httpx.Client, server: Server) -> None:
    """Workers have the same working directory as the server."""
    answer = predict(client, "processes", params={"what": "cwd"}).json()
    assert answer["predictions"] == str(server.cwd)


@pytest.mark.every_engine
def test_output_of_models(client: httpx.Client, server: Server) -> None:
    response = predict(client, "processes", params={"what": "talk"})
    server.output.wait_for("printed by a model")
    server.output.wait_for("said by a command of a model")
    identity = response.headers["x-request-id"]
    server.output.wait_for(rf"INFO models.processes \[{identity}\] logged by a model")


@pytest.mark.every_engine
def test_unpicklable_arguments(client: httpx.Client, server: Server) -> None:
    """Arguments may be locks, open files and functions, because the worker creates them."""
    (server.cwd / "file.txt").write_text("content")
    sent = {"lock": "x", "file": "file.txt", "function": 5}
    assert predicted(client, "unpicklable", json=sent) == {
        "locked": True,
        "content": "content",
        "number": 5,
        "answer": 42,
    }
