"""Pages of other origins cannot change anything, and model output never runs as a script."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page

from support.server import Server, wait_until
from ui.conftest import WAIT_MS

pytestmark = pytest.mark.slow
FORM = """([address, type]) => {
  const form = document.body.appendChild(document.createElement("form"));
  const target = document.body.dataset.target ?? "_self";
  Object.assign(form, { method: "post", action: address, enctype: type, target });
  form.append(Object.assign(document.createElement("input"), { name: "note", value: "cross-origin" }));
  form.submit();
}"""
FETCH = "([address, options]) => fetch(address, options).then(({ status }) => status, String)"
MODEL = "/v2/models/hostile"
CHANGES = {"predict": f"{MODEL}/predict/", "train": f"{MODEL}/train/", "reload": f"{MODEL}/reload"}


class ForeignPage(BaseHTTPRequestHandler):
    """Serves a page with a frame for the responses to its forms, and a frame for the URL in `?frame=`."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        frame = urlsplit(self.path).query.removeprefix("frame=")
        self.wfile.write(
            b"<!doctype html><body data-target=response><iframe name=response></iframe>"
            + f"<iframe name=framed src='{frame}'></iframe>".encode()
        )

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def foreign_url() -> Iterator[str]:
    """Return the URL of a page of another origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), ForeignPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://foreign.example:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return a new page with its own profile."""
    with browser.new_context() as context:
        context.set_default_timeout(WAIT_MS)
        yield context.new_page()


@pytest.fixture(scope="module")
def training(client: httpx.Client) -> Iterator[str]:
    """Return the path of a finished training; delete it afterwards."""
    path = f"{MODEL}/train/{client.post(f'{MODEL}/train/').json()['uuid']}"
    wait_until(lambda: client.get(path).json()["status"] == "done")
    yield path
    client.delete(f"{path}?purge=true")


@pytest.fixture
def unchanged(client: httpx.Client, training: str) -> Iterator[None]:
    """Fail if the test changed trainings or workers, or got a prediction."""
    before = get_state(client)
    yield
    assert get_state(client) == before
    assert client.get(training).status_code == 200


def get_state(client: httpx.Client) -> list[Any]:
    """Return the trainings and the number of successful POST requests by route."""
    counts = [
        line
        for line in client.get("/metrics").text.splitlines()
        if line.startswith('deepaas_http_requests_total{method="POST"') and 'status="200"' in line
    ]
    return [client.get(f"{MODEL}/train/").json(), counts]


@pytest.mark.parametrize("type_", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"])
def test_forms(page: Page, served: Server, foreign_url: str, type_: str, unchanged: None) -> None:
    """Forms from another origin are rejected, with each encoding."""
    page.goto(foreign_url)
    for path in CHANGES.values():
        with page.expect_response(served.url + path) as response:
            page.evaluate(FORM, [served.url + path, type_])
        assert response.value.status == 403
        assert "--cors-origin" in response.value.json()["message"]


def test_no_cors(page: Page, served: Server, foreign_url: str, training: str, unchanged: None) -> None:
    """`no-cors` requests from another origin are rejected, or the browser does not send them."""
    page.goto(foreign_url)
    for path in CHANGES.values():
        with page.expect_response(served.url + path) as response:
            page.evaluate(FETCH, [served.url + path, {"method": "POST", "mode": "no-cors", "body": "{}"}])
        assert response.value.status == 403
    purge = [f"{served.url}{training}?purge=true", {"method": "DELETE"}]
    assert page.evaluate(FETCH, purge) == "TypeError: Failed to fetch"


def test_rebinding(page: Page, served: Server, training: str, unchanged: None) -> None:
    """DNS rebinding: requests are rejected if their host name is not allowed."""
    url = f"http://rebound.example:{urlsplit(served.url).port}"
    page.goto(f"{url}/v2/")
    assert "--allowed-hosts" in page.content()
    for path in CHANGES.values():
        assert page.evaluate(FETCH, [url + path, {"method": "POST"}]) == 403
    for path in (f"{MODEL}/train/", f"{training}/artifacts/", f"{training}/log", "/v2/models/"):
        assert page.evaluate(FETCH, [url + path, {}]) == 403
    assert page.evaluate(FETCH, [f"{url}{training}?purge=true", {"method": "DELETE"}]) == 403


@pytest.mark.parametrize("accept", ["text/html", "image/svg+xml", "application/xhtml+xml"])
def test_markup_response(page: Page, served: Server, accept: str) -> None:
    """Markup from a model runs no script when a browser opens it, and has an opaque origin."""
    page.goto(f"{served.url}/v2/")
    address = f"{served.url}/v2/models/hostile/predict/?accept={accept.replace('+', '%2B')}"
    with page.expect_navigation() as navigation:
        page.evaluate(FORM, [address, "text/plain"])
    assert navigation.value.headers["content-type"] == accept
    assert page.evaluate("[self.origin, document.documentElement.dataset?.broken]") == ["null", None]


PRIVATE = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
    "cache-control": "no-store",
}


@pytest.mark.parametrize(
    "path",
    [
        "/v2/models/hostile/predict/?accept=text/html",
        "/v2/models/hostile/predict/",
        "/v2/models/hostile/predict/?form=error",
        "/v2/models/hostile/predict/?form=unknown",
        "/v2/models/number_stream/predict/",
        "/v2/models/nobody/predict/",
    ],
)
def test_headers_of_predictions(served: Server, path: str) -> None:
    """Browsers do not sniff, run or cache predictions and errors."""
    with served.client() as client:
        first = client.post(path)
        client.get("/v2/")
        for response in (first, client.post(path)):
            assert PRIVATE.items() <= dict(response.headers).items()


def test_headers_of_trainings(client: httpx.Client, training: str) -> None:
    """Browsers do not sniff, run or cache artifacts, logs and metadata either."""
    paths = [
        "",
        "/log",
        "/log?tail=1",
        "/metrics",
        "/events",
        "/artifacts/",
        "/provenance",
        "/artifacts/%3Cb%3Eartifact",
    ]
    for path in [training + below for below in paths] + [f"{MODEL}/train/", MODEL, "/metrics", "/v2/debug"]:
        response = client.get(path)
        assert response.is_success, path
        assert PRIVATE.items() <= dict(response.headers).items(), path
    assert PRIVATE.items() <= dict(client.get(f"{training}/artifacts/none").headers).items()


@pytest.mark.parametrize(
    "path", ["/", "/v2/", "/ui", "/api", "/swagger.json", "/static/ui/main.js", "/nothing"]
)
def test_public_headers(client: httpx.Client, path: str) -> None:
    """Public resources are not sniffed and not sandboxed, because their scripts must run."""
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" not in headers.get("content-security-policy", "")


@pytest.mark.parametrize("path", ["/api", "/ui"])
def test_framed(page: Page, served: Server, foreign_url: str, path: str) -> None:
    """Pages of other origins cannot embed the web UI or the API docs (clickjacking)."""
    page.goto(f"{foreign_url}?frame={served.url}{path}")
    frame = page.frame("framed")
    assert frame
    assert not frame.url.startswith(served.url)
