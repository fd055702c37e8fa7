"""A real browser, the servers whose page it opens, and what must never happen on any of them."""

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

from serving import CALL_S, Server, serving

HEADLESS_SHELL = "/usr/bin/chromium-headless-shell"  # takes half of the time of the complete browser
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
    name: f"models_ui.{name}"
    for name in (
        "answers",
        "every_argument",
        "exact_numbers",
        "hostile",
        "number_stream",
        "streamed",
        "with_schema",
        "trained",
    )
} | {"only_predict": "models.only_predict", "raising": "models.raising", "steps": "models_training.steps"}
WAIT_MS = 1000 * CALL_S
NOT_MODIFIED = 304
TOKENS = "s3cret\nreader predict\n"


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Return the Playwright driver, which starts browsers.

    While it is open, an event loop runs in this thread, which other tests would stumble over.
    """
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Return the browser that these tests share; each opens its pages in a profile of its own."""
    with playwright.chromium.launch(executable_path=HEADLESS_SHELL, args=FLAGS) as browser:
        yield browser


@pytest.fixture
def complete_browser(playwright: Playwright) -> Iterator[Browser]:
    """Return a browser with its PDF viewer."""
    with playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as browser:
        yield browser


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server of all the models that the page is tried on."""
    with serving(tmp_path_factory.mktemp("ui"), models=MODELS) as server:
        yield server


@pytest.fixture(scope="package")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server that wants a token, below a base path."""
    folder = tmp_path_factory.mktemp("guarded_ui")
    (folder / "tokens").write_text(TOKENS)
    flags = ("--base-path", "/some/where", "--auth-token-file", str(folder / "tokens"))
    with serving(folder, *flags, models={"trained": MODELS["trained"]}) as server:
        yield server


@pytest.fixture(scope="package")
def client(served: Server) -> Iterator[httpx.Client]:
    """Return a client of the server, to look behind the page."""
    with served.client() as client:
        yield client


class Watched:
    """The pages of a test, and all that they asked for or complained about."""

    def __init__(self, context: BrowserContext) -> None:
        self.asked: list[str] = []
        self.complaints: list[str] = []
        context.on("request", lambda request: self.asked.append(request.url))
        context.on("response", self._answered)
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))

    def _answered(self, response: Response) -> None:
        if "/static/" in response.url and not response.ok and response.status != NOT_MODIFIED:
            self.complaints.append(f"{response.status} {response.url}")

    def _heard(self, message: ConsoleMessage) -> None:
        # The browser notes each refusal and lost connection; those that a test asks for are no mistakes.
        is_answer = message.text.startswith("Failed to load resource:")
        if message.type in ("error", "warning") and not is_answer:
            self.complaints.append(message.text)

    def check(self) -> None:
        """Fail when a page has asked anybody but its server, or complained."""
        addresses = map(urlsplit, self.asked)
        assert {url.hostname for url in addresses if url.scheme in ("http", "https", "ws")} <= {"127.0.0.1"}
        assert self.complaints == []


@pytest.fixture
def open_page(browser: Browser, served: Server) -> Iterator[Callable[..., Page]]:
    """Return what opens the page: `open_page("#/answers", server=guarded, width=390)`."""
    contexts: list[tuple[BrowserContext, Watched]] = []

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
        contexts.append((context, Watched(context)))
        page = context.new_page()
        page.goto(f"{server.url.rstrip('/')}/ui{address}")
        return page

    yield open_page
    for context, watched in contexts:
        context.close()
        watched.check()


@pytest.fixture
def upload(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """Return what makes a file to choose."""

    def upload(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return upload
