"""Fixtures: a real browser, servers, and a monitor for foreign requests and console errors."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Response,
    expect,
    sync_playwright,
)

from support.server import CALL_S, Server, serving

HEADLESS_SHELL = "/usr/bin/chromium-headless-shell"  # twice as fast as the complete browser
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.example 127.0.0.1",
]
MODELS = {
    name: f"models.ui.{name}"
    for name in (
        "every_argument",
        "exact_numbers",
        "hostile",
        "number_stream",
        "responses",
        "streamed",
        "with_schema",
        "trained",
    )
} | {"only_predict": "models.only_predict", "raising": "models.raising", "steps": "models.training.steps"}
WAIT_MS = 1000 * CALL_S
NOT_MODIFIED = 304
TOKENS = "s3cret\nreader predict\n"


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Return the Playwright driver, which starts browsers.

    It runs an event loop in this thread, which would disturb other tests: hence the scope.
    """
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Return the browser that all tests share; each test gets its own profile."""
    with playwright.chromium.launch(executable_path=HEADLESS_SHELL, args=FLAGS) as browser:
        yield browser


@pytest.fixture
def complete_browser(playwright: Playwright) -> Iterator[Browser]:
    """Return a browser with a PDF viewer."""
    with playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as browser:
        yield browser


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server with all models of the browser tests."""
    with serving(tmp_path_factory.mktemp("ui"), models=MODELS) as server:
        yield server


@pytest.fixture(scope="package")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server that requires a token and has a base path."""
    folder = tmp_path_factory.mktemp("guarded_ui")
    (folder / "tokens").write_text(TOKENS)
    flags = ("--base-path", "/some/where", "--auth-token-file", str(folder / "tokens"))
    with serving(folder, *flags, models={"trained": MODELS["trained"]}) as server:
        yield server


@pytest.fixture(scope="package")
def client(served: Server) -> Iterator[httpx.Client]:
    """Return an HTTP client of the server."""
    with served.client() as client:
        yield client


class PageMonitor:
    """Records the requests and the errors of a test's pages."""

    def __init__(self, context: BrowserContext) -> None:
        self.urls: list[str] = []
        self.errors: list[str] = []
        context.on("request", lambda request: self.urls.append(request.url))
        context.on("response", self._check_response)
        context.on("console", self._check_message)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))

    def _check_response(self, response: Response) -> None:
        if "/static/" in response.url and not response.ok and response.status != NOT_MODIFIED:
            self.errors.append(f"{response.status} {response.url}")

    def _check_message(self, message: ConsoleMessage) -> None:
        # Browsers log every error response and lost connection, which tests cause on purpose.
        is_response = message.text.startswith("Failed to load resource:")
        if message.type in ("error", "warning") and not is_response:
            self.errors.append(message.text)

    def check(self) -> None:
        """Fail if a page sent requests to another host or logged errors."""
        urls = map(urlsplit, self.urls)
        assert {url.hostname for url in urls if url.scheme in ("http", "https", "ws")} <= {"127.0.0.1"}
        assert self.errors == []


@pytest.fixture
def open_page(browser: Browser, served: Server) -> Iterator[Callable[..., Page]]:
    """Return a function that opens the web UI: `open_page("#/responses", server=guarded, width=390)`."""
    contexts: list[tuple[BrowserContext, PageMonitor]] = []

    def open_page(
        address: str = "",
        *,
        server: Server = served,
        width: int = 1280,
        scheme: str = "light",
        browser: Browser = browser,
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            permissions=["clipboard-read", "clipboard-write"],
        )
        context.set_default_timeout(WAIT_MS)
        contexts.append((context, PageMonitor(context)))
        page = context.new_page()
        page.goto(f"{server.url.rstrip('/')}/ui{address}")
        return page

    yield open_page
    for context, monitor in contexts:
        context.close()
        monitor.check()


@pytest.fixture
def upload(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """Return a function that creates a file to upload."""

    def upload(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return upload
