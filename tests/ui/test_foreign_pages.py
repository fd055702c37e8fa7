"""Pages of strangers, opened in the browser of somebody who runs a server without tokens."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Playwright

from serving import Server, predict
from ui.conftest import FLAGS, HEADLESS_SHELL

STRANGER = "stranger.example"
REBOUND = "rebound.example"
TYPES = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]


@pytest.fixture(scope="module")
def stranger() -> Iterator[str]:
    """Return the address of a page of a stranger, which is empty."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>kittens</title>")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{STRANGER}:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def page(playwright: Playwright) -> Iterator[Page]:
    """Return a page of a browser for which the names of strangers lead to this machine."""
    rules = f"MAP {STRANGER} 127.0.0.1,MAP {REBOUND} 127.0.0.1"
    flags = [*FLAGS, f"--host-resolver-rules={rules}"]
    with playwright.chromium.launch(executable_path=HEADLESS_SHELL, args=flags) as browser:
        yield browser.new_page()


def changes(server: Server) -> tuple[list[str], list[str]]:
    """Return the server's trainings, and its figures of calls: what strangers may not change."""
    with server.client() as client:
        trainings = [one["uuid"] for one in client.get("/v2/models/trained/train/").json()]
        metrics = client.get("/metrics").text
    return trainings, [line for line in metrics.splitlines() if "_prediction_seconds_count" in line]


@pytest.mark.parametrize("path", ["/v2/models/only_predict/predict", "/v2/models/trained/train/"])
@pytest.mark.parametrize("content_type", TYPES)
def test_forms(served: Server, stranger: str, page: Page, path: str, content_type: str) -> None:
    """A form that a page of a stranger sends changes nothing; the answer names the options."""
    before = changes(served)
    page.goto(stranger)
    with page.expect_navigation() as answered:
        page.evaluate(
            """([action, type]) => {
                const form = document.createElement("form");
                Object.assign(form, { action, method: "post", enctype: type });
                document.body.append(form);
                form.submit();
            }""",
            [served.url + path, content_type],
        )
    assert answered.value.status == 403
    assert "--cors-origin" in answered.value.text()
    assert changes(served) == before


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("mode", ["no-cors", "cors"])
def test_scripts(served: Server, stranger: str, page: Page, method: str, mode: str) -> None:
    """Nor does a script, whether it wants to read the answer or not."""
    before = changes(served)
    page.goto(stranger)
    paths = ["only_predict/predict", "trained/train/", "only_predict/reload", f"trained/train/{'a' * 32}"]
    outcomes = page.evaluate(
        """([addresses, method, mode]) => Promise.all(addresses.map(
            (address) => fetch(address, { method, mode }).then((found) => found.type, () => "refused")
        ))""",
        [[f"{served.url}/v2/models/{path}" for path in paths], method, mode],
    )
    assert set(outcomes) <= {"refused", "opaque"}
    assert changes(served) == before


def test_name_that_leads_here(served: Server, page: Page) -> None:
    """A name of a stranger that leads to this machine opens nothing of the server."""
    port = urlsplit(served.url).port
    for path in ("/ui", "/v2/models/", "/v2/models/trained/train/"):
        response = page.goto(f"http://{REBOUND}:{port}{path}")
        assert response
        assert response.status == 403
        assert "--allowed-hosts" in response.text()


def test_own_page(served: Server) -> None:
    """The same requests work for those who may send them."""
    with served.client() as client:
        assert predict(client, "only_predict").status_code == 200
        own = {"Origin": served.url}
        assert client.post("/v2/models/only_predict/predict", headers=own).status_code == 200
