"""A model whose words and answers are full of markup and scripts: all of it is shown, none of it works."""

import pytest
from playwright.sync_api import Page, expect

from models_ui.hostile import EVIL, FILES
from ui.pages import Open, predict, predicted, to_tab

pytestmark = pytest.mark.slow
STRANGE = "script:not([src]), main img[src^='http'], svg, [onerror], [onload], a[href^='javascript'], main h1"


def is_unharmed(page: Page) -> None:
    """Fail when anything of the model's became a part of the page, or ran."""
    assert page.locator(STRANGE).count() == 0
    assert page.evaluate("[document.documentElement.dataset.broken, {}.polluted]") == [None, None]


@pytest.mark.parametrize("form", ["text", "labels", "objects", "keys", "url"])
def test_json(open_page: Open, form: str) -> None:
    """JSON with markup in its texts and names is shown as text, as is the form itself."""
    page = open_page("#/hostile")
    expect(page.locator("argument-form").first).to_contain_text(EVIL)
    page.get_by_label("form", exact=True).select_option(form)
    shown = predicted(page)
    expect(shown.locator(".shown")).to_contain_text("<script>" if form != "url" else "data:text/html")
    is_unharmed(page)


@pytest.mark.parametrize("accept", FILES)
def test_files(open_page: Open, accept: str) -> None:
    """Answers that are markup by their media type are text, or a picture that runs nothing."""
    page = open_page("#/hostile")
    page.get_by_label("Answer as accept").select_option(accept)
    shown = predicted(page)
    expect(shown.locator("img, pre, table")).to_be_visible()
    is_unharmed(page)


def test_error(open_page: Open) -> None:
    """So is the message of an error."""
    page = open_page("#/hostile")
    page.get_by_label("form", exact=True).select_option("error")
    predict(page)
    expect(page.locator(".answer").get_by_role("alert")).to_contain_text(EVIL)
    is_unharmed(page)


def test_metadata(open_page: Open) -> None:
    """Metadata is text, and of Markdown only harmless elements remain."""
    page = open_page("#/hostile/model")
    card = page.locator("model-card")
    expect(card.get_by_role("heading", level=2)).to_have_text(EVIL)
    expect(card.locator(".markdown")).to_contain_text("Title")
    expect(card.locator("dl").first).to_contain_text(EVIL)
    is_unharmed(page)


def test_training(open_page: Open) -> None:
    """What a training prints, tells, returns and leaves is text."""
    page = open_page("#/hostile/train")
    page.get_by_role("button", name="Train", exact=True).click()
    training = page.locator("training-card")
    expect(training.locator(".state")).to_have_text("done")
    expect(training.get_by_role("log")).to_contain_text(EVIL)
    expect(training.get_by_role("link", name="<b>artifact")).to_be_visible()
    expect(training.locator("figcaption")).to_contain_text(EVIL)
    is_unharmed(page)
    to_tab(page, "Predict")
