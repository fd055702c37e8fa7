"""Features of all tabs: base path, tokens, themes, small screens, keyboard, screen readers."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support.server import Server
from ui.pages import OpenPage, open_tab, predict, predict_and_wait

pytestmark = pytest.mark.slow
AXE = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
RUN_AXE = """async () => {
  const { violations } = await axe.run();
  return violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}"""


def find_violations(page: Page) -> list[str]:
    """Return the serious accessibility violations that axe reports for the current page."""
    page.evaluate(AXE)
    return list(page.evaluate(RUN_AXE))


def enter_token(page: Page, token: str) -> None:
    """Enter a token in the dialog."""
    page.get_by_label("Token", exact=True).fill(token)
    page.get_by_role("button", name="Save").click()


def test_token(open_page: OpenPage, guarded: Server) -> None:
    """Under a base path, the page prompts for a token until it is valid, and stores it."""
    page = open_page(server=guarded)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Token required")
    enter_token(page, "guessed")
    expect(dialog).to_contain_text("does not know the token")
    enter_token(page, "s3cret")
    expect(dialog).to_be_hidden()
    expect(predict_and_wait(page)).to_contain_text("learnt")
    page.reload()
    expect(predict_and_wait(page)).to_contain_text("learnt")
    page.locator("predict-page summary").first.click()
    expect(page.locator("predict-page pre").first).to_contain_text(
        re.compile("/some/where/v2.*Bearer TOKEN", re.DOTALL)
    )
    open_tab(page, "Train")
    page.get_by_role("button", name="Train", exact=True).click()
    training = page.locator("training-card")
    expect(training.locator(".state")).to_have_text("done")
    with page.expect_download() as download:
        training.get_by_role("link", name="deep/weights 1.json").click()
    assert Path(download.value.path()).read_text() == '{"name": "plain"}'
    page.get_by_role("button", name="Reload model").click()
    expect(page.locator("model-reload")).to_contain_text("New workers are serving.")
    open_tab(page, "Predict")
    expect(predict_and_wait(page)).to_contain_text("plain")


def test_token_without_scope(open_page: OpenPage, guarded: Server) -> None:
    """A missing scope is reported where it is needed, and the token can be changed."""
    page = open_page(server=guarded)
    enter_token(page, "reader")
    expect(predict_and_wait(page)).to_contain_text("learnt")
    open_tab(page, "Train")
    expect(page.get_by_role("alert")).to_contain_text("scope 'train'")
    page.get_by_role("button", name="Token").click()
    enter_token(page, "s3cret")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_no_token(open_page: OpenPage, guarded: Server) -> None:
    """A user who declines is not prompted again, but can open the dialog."""
    page = open_page(server=guarded)
    page.get_by_role("button", name="Not now").click()
    predict(page)
    expect(page.get_by_role("alert")).to_contain_text("requires a token")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("button", name="Token").click()
    expect(page.get_by_role("dialog")).to_be_visible()


@pytest.mark.parametrize("address", ["/ui/", "/v2/models/only_predict/ui", "/v2/models/only_predict/ui/"])
def test_ui_urls(open_page: OpenPage, served: Server, address: str) -> None:
    """The web UI is available with a trailing slash and below a model's URL."""
    page = open_page()
    page.goto(served.url + address)
    expect(page.get_by_role("heading", level=2, name="Predict")).to_be_visible()
    assert page.url.startswith(f"{served.url}/ui")
    if "models" in address:
        expect(page.get_by_label("Model", exact=True)).to_have_value("only_predict")


def visit_views(page: Page, check: Callable[[str], None]) -> None:
    """Call `check` on each view: form, validation errors, responses, training, model."""
    page.locator("predict-page summary").first.click()
    predict(page)
    expect(page.locator(".invalid").first).to_be_visible()
    check("problems")
    page.locator("input[type=file]").nth(1).set_input_files(
        [{"name": "table.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"}]
    )
    page.get_by_label("text required").fill("text")
    predict_and_wait(page)
    check("response")
    page.goto(page.url.split("#")[0] + "#/responses")
    for form in ("labels", "objects", "numbers", "media"):
        page.get_by_label("form", exact=True).select_option(form)
        predict_and_wait(page)
        check(form)
    page.goto(page.url.split("#")[0] + "#/trained/train")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.locator("training-card:has(training-view) .state")).to_have_text("done")
    expect(page.locator("line-chart canvas").first).to_be_visible()
    check("training")
    open_tab(page, "Model")
    expect(page.locator("workers-view")).to_be_visible()
    expect(page.locator("model-card strong")).to_be_visible()
    check("model")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_accessibility(open_page: OpenPage, scheme: str, width: int) -> None:
    """axe reports nothing serious on any view, in both themes, and no view is wider than its window."""
    page = open_page("#/every_argument", scheme=scheme, width=width)
    found: dict[str, list[str]] = {}

    def check(view: str) -> None:
        problems = find_violations(page)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            problems.append("wider than the window")
        if problems:
            found[view] = problems

    visit_views(page, check)
    assert found == {}


def test_token_dialog_accessibility(open_page: OpenPage, guarded: Server) -> None:
    """axe reports nothing serious in the token dialog."""
    page = open_page(server=guarded)
    expect(page.get_by_role("dialog")).to_be_visible()
    assert find_violations(page) == []


def test_theme(open_page: OpenPage) -> None:
    """The page uses the system's theme until the user selects one, which is stored."""
    page = open_page("#/only_predict", scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_role("button", name="Light theme").click()
    expect(page.get_by_role("button", name="Dark theme")).to_be_visible()
    light = page.evaluate(background)
    assert dark != light
    page.reload()
    expect(page.get_by_role("button", name="Dark theme")).to_be_visible()
    assert page.evaluate(background) == light


def test_keyboard(open_page: OpenPage) -> None:
    """The form can be reached and submitted with the keyboard."""
    page = open_page("#/every_argument")
    expect(page.get_by_role("button", name="Predict", exact=True)).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.get_by_label("text required")).to_be_focused()
    page.keyboard.type("typed")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("status").filter(has_text="Response in")).to_be_visible()
    expect(page.locator("response-view")).to_contain_text("typed")
    button = page.get_by_role("button", name="Predict", exact=True)
    button.press("Enter")
    expect(page.locator(".history button")).to_have_count(2)
    expect(button).to_be_focused()


def test_unreachable_server(open_page: OpenPage, start: Callable[..., Server]) -> None:
    """The page reports a server that cannot be reached."""
    server = start(models={"only_predict": "models.only_predict"})
    page = open_page(server=server)
    predict_and_wait(page)
    server.stop()
    predict(page)
    expect(page.locator(".response").get_by_role("alert")).to_contain_text("cannot be reached")
