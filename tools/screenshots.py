"""Takes the screenshots of the web UI in docs/images: serves the digits example and uses it in a browser."""
# ruff: noqa: INP001 - a script, not a package.

import contextlib
import io
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs/images"
PICTURE = ROOT / "examples/digits/three.png"
CHROMIUM = "/usr/bin/chromium"
COLOURS = 96
DESKTOP = (1280, 860)
PHONE = (390, 844)


def main() -> None:
    """Save screenshots of every tab in both themes, and of two tabs on a phone."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with serve_digits() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        train(browser, url, "8")
        for scheme in ("light", "dark"):
            with open_page(browser, url, scheme, DESKTOP) as page:
                predict(page)
                save(page, f"predict-{scheme}")
                open_tab(page, "Train")
                start_training(page)
                save(page, f"train-{scheme}")
                open_tab(page, "Model")
                page.locator("model-card dl").wait_for()
                page.locator("workers-view canvas").wait_for()
                save(page, f"model-{scheme}")
        for scheme, tab in (("light", "Predict"), ("dark", "Train")):
            with open_page(browser, url, scheme, PHONE) as page:
                open_tab(page, tab)
                (predict if tab == "Predict" else start_training)(page)
                save(page, f"phone-{scheme}", top=False)
        browser.close()


@contextlib.contextmanager
def serve_digits() -> Iterator[str]:
    """Serve the digits example with an empty state folder, and yield its URL."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(sys.executable).with_name("deepaas-run")
        command = [run, "--model-name", "digits", "--listen-port", "0", "--state-dir", folder]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603
        assert server.stdout
        try:
            yield next(
                match[1]
                for line in server.stdout
                if (match := re.search(r"Serving .* on (http://\S+)", line))
            )
        finally:
            server.terminate()
            server.communicate()


@contextlib.contextmanager
def open_page(browser: Browser, url: str, scheme: str, size: tuple[int, int]) -> Iterator[Page]:
    """Open the web UI in a new window."""
    page = browser.new_page(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page.goto(f"{url}/ui")
    yield page
    page.close()


def open_tab(page: Page, tab: str) -> None:
    """Open a tab."""
    page.get_by_role("link", name=tab, exact=True).click()


def predict(page: Page) -> None:
    """Predict the digit in the example picture."""
    page.locator("input[type=file]").set_input_files(PICTURE)
    page.get_by_role("button", name="Predict", exact=True).click()
    page.locator(".bars").wait_for()


def train(browser: Browser, url: str, epochs: str) -> None:
    """Run a training until it is done."""
    with open_page(browser, url, "light", DESKTOP) as page:
        open_tab(page, "Train")
        page.get_by_label("epochs", exact=True).fill(epochs)
        page.get_by_role("button", name="Train", exact=True).click()
        page.locator(".state.done").wait_for()


def start_training(page: Page) -> None:
    """Start a training, and wait until its chart has at least ten points."""
    page.get_by_label("epochs", exact=True).fill("40")
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_role("img", name=re.compile(r"loss: [1-9]\d points")).wait_for(timeout=60_000)


def save(page: Page, name: str, *, top: bool = True) -> None:
    """Save a screenshot of the window, with a reduced palette to keep the repository small."""
    if top:
        page.evaluate("scrollTo(0, 0)")
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
