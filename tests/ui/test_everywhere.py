"""What holds on every tab: a base path, tokens, light and dark, phones, the keyboard, screen readers."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from serving import Server
from ui.pages import Open, predict, predicted, to_tab

pytestmark = pytest.mark.slow
AXE = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
FOUND = """async () => {
  const { violations } = await axe.run();
  return violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}"""


def barriers(page: Page) -> list[str]:
    """Return what axe finds serious on the page as it stands."""
    page.evaluate(AXE)
    return list(page.evaluate(FOUND))


def give_token(page: Page, token: str) -> None:
    """Answer the page that asks for a token."""
    page.get_by_label("Token", exact=True).fill(token)
    page.get_by_role("button", name="Use it").click()


def test_token(open_page: Open, guarded: Server) -> None:
    """Below a base path, the page asks for a token until one is known, says what is wrong, and keeps it."""
    page = open_page(server=guarded)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This server wants a token")
    give_token(page, "guessed")
    expect(dialog).to_contain_text("does not know the token")
    give_token(page, "s3cret")
    expect(dialog).to_be_hidden()
    expect(predicted(page)).to_contain_text("learnt")
    page.reload()
    expect(predicted(page)).to_contain_text("learnt")
    page.locator("predict-page summary").first.click()
    expect(page.locator("predict-page pre").first).to_contain_text(
        re.compile("/some/where/v2.*Bearer TOKEN", re.DOTALL)
    )
    to_tab(page, "Train")
    page.get_by_role("button", name="Train", exact=True).click()
    training = page.locator("training-card")
    expect(training.locator(".state")).to_have_text("done")
    with page.expect_download() as download:
        training.get_by_role("link", name="deep/weights 1.json").click()
    assert Path(download.value.path()).read_text() == '{"name": "plain"}'
    page.get_by_role("button", name="Reload the model").click()
    expect(page.locator("model-reload")).to_contain_text("New workers answer from now on.")
    to_tab(page, "Predict")
    expect(predicted(page)).to_contain_text("plain")


def test_token_that_allows_little(open_page: Open, guarded: Server) -> None:
    """A token without the scope for something is told so where it is wanted, and can be changed."""
    page = open_page(server=guarded)
    give_token(page, "reader")
    expect(predicted(page)).to_contain_text("learnt")
    to_tab(page, "Train")
    expect(page.get_by_role("alert")).to_contain_text("scope 'train'")
    page.get_by_role("button", name="Token").click()
    give_token(page, "s3cret")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_no_token(open_page: Open, guarded: Server) -> None:
    """Who has no token is not asked again and again, but can be asked when they wish."""
    page = open_page(server=guarded)
    page.get_by_role("button", name="Not now").click()
    predict(page)
    expect(page.get_by_role("alert")).to_contain_text("wants a token")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("button", name="Token").click()
    expect(page.get_by_role("dialog")).to_be_visible()


@pytest.mark.parametrize("address", ["/ui/", "/v2/models/only_predict/ui", "/v2/models/only_predict/ui/"])
def test_addresses(open_page: Open, served: Server, address: str) -> None:
    """The page is found with a final slash, and below a model's address."""
    page = open_page()
    page.goto(served.url + address)
    expect(page.get_by_role("heading", level=2, name="Predict")).to_be_visible()
    assert page.url.startswith(f"{served.url}/ui")
    if "models" in address:
        expect(page.get_by_label("Model", exact=True)).to_have_value("only_predict")


def everywhere(page: Page, look: Callable[[str], None]) -> None:
    """Call `look` at every view worth a look: forms, problems, answers, trainings, the model's card."""
    page.locator("predict-page summary").first.click()
    predict(page)
    expect(page.locator(".wrong").first).to_be_visible()
    look("problems")
    page.locator("input[type=file]").nth(1).set_input_files(
        [{"name": "table.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"}]
    )
    page.get_by_label("text required").fill("text")
    predicted(page)
    look("answer")
    page.goto(page.url.split("#")[0] + "#/answers")
    for form in ("labels", "objects", "numbers", "media"):
        page.get_by_label("form", exact=True).select_option(form)
        predicted(page)
        look(form)
    page.goto(page.url.split("#")[0] + "#/trained/train")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.locator("training-card:has(training-view) .state")).to_have_text("done")
    expect(page.locator("line-chart canvas").first).to_be_visible()
    look("training")
    to_tab(page, "Model")
    expect(page.locator("workers-view")).to_be_visible()
    expect(page.locator("model-card strong")).to_be_visible()
    look("model")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_nothing_serious(open_page: Open, scheme: str, width: int) -> None:
    """axe finds nothing serious on any view, in light and dark, and no view is wider than its window."""
    page = open_page("#/every_argument", scheme=scheme, width=width)
    found: dict[str, list[str]] = {}

    def look(view: str) -> None:
        problems = barriers(page)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            problems.append("wider than the window")
        if problems:
            found[view] = problems

    everywhere(page, look)
    assert found == {}


def test_token_dialog_has_nothing_serious(open_page: Open, guarded: Server) -> None:
    """axe finds nothing serious in the dialog that asks for a token."""
    page = open_page(server=guarded)
    expect(page.get_by_role("dialog")).to_be_visible()
    assert barriers(page) == []


def test_theme(open_page: Open) -> None:
    """Light and dark are as the system has them until the reader chooses, which is remembered."""
    page = open_page("#/only_predict", scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_role("button", name="Light colours").click()
    expect(page.get_by_role("button", name="Dark colours")).to_be_visible()
    light = page.evaluate(background)
    assert dark != light
    page.reload()
    expect(page.get_by_role("button", name="Dark colours")).to_be_visible()
    assert page.evaluate(background) == light


def test_keyboard(open_page: Open) -> None:
    """A prediction, and the way to another tab, take nothing but the keyboard."""
    page = open_page("#/every_argument")
    expect(page.get_by_role("button", name="Predict", exact=True)).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.get_by_label("text required")).to_be_focused()
    page.keyboard.type("typed")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("status").filter(has_text="Answered in")).to_be_visible()
    expect(page.locator("answer-view")).to_contain_text("typed")
    button = page.get_by_role("button", name="Predict", exact=True)
    button.press("Enter")
    expect(page.locator(".history button")).to_have_count(2)
    expect(button).to_be_focused()


def test_server_gone(open_page: Open, start: Callable[..., Server]) -> None:
    """A server that cannot be reached is said to be, with what to do."""
    server = start(models={"only_predict": "models.only_predict"})
    page = open_page(server=server)
    predicted(page)
    server.stop()
    predict(page)
    expect(page.locator(".answer").get_by_role("alert")).to_contain_text("cannot be reached")
