"""Markup and scripts in a model's metadata and responses are shown as text and never run."""

import pytest
from playwright.sync_api import Page, expect

from models.ui.hostile import EVIL, FILES
from ui.pages import OpenPage, open_tab, predict, predict_and_wait

pytestmark = pytest.mark.slow
UNSAFE = "script:not([src]), main img[src^='http'], svg, [onerror], [onload], a[href^='javascript'], main h1"


def assert_unharmed(page: Page) -> None:
    """Fail if markup of the model became elements of the page, or a script ran."""
    assert page.locator(UNSAFE).count() == 0
    assert page.evaluate("[document.documentElement.dataset.broken, {}.polluted]") == [None, None]


@pytest.mark.parametrize("form", ["text", "labels", "objects", "keys", "url"])
def test_json(open_page: OpenPage, form: str) -> None:
    """Markup in JSON values, JSON keys and argument names is shown as text."""
    page = open_page("#/hostile")
    expect(page.locator("argument-form").first).to_contain_text(EVIL)
    page.get_by_label("form", exact=True).select_option(form)
    shown = predict_and_wait(page)
    expect(shown.locator(".shown")).to_contain_text("<script>" if form != "url" else "data:text/html")
    assert_unharmed(page)


@pytest.mark.parametrize("accept", FILES)
def test_files(open_page: OpenPage, accept: str) -> None:
    """Responses with a markup media type are shown as text or as an image, without running scripts."""
    page = open_page("#/hostile")
    page.get_by_label("Response type accept").select_option(accept)
    shown = predict_and_wait(page)
    expect(shown.locator("img, pre, table")).to_be_visible()
    assert_unharmed(page)


def test_error(open_page: OpenPage) -> None:
    """Markup in an error message is shown as text."""
    page = open_page("#/hostile")
    page.get_by_label("form", exact=True).select_option("error")
    predict(page)
    expect(page.locator(".response").get_by_role("alert")).to_contain_text(EVIL)
    assert_unharmed(page)


def test_metadata(open_page: OpenPage) -> None:
    """Metadata is shown as text; Markdown is reduced to safe elements."""
    page = open_page("#/hostile/model")
    card = page.locator("model-card")
    expect(card.get_by_role("heading", level=2)).to_have_text(EVIL)
    expect(card.locator(".markdown")).to_contain_text("Title")
    expect(card.locator("dl").first).to_contain_text(EVIL)
    assert_unharmed(page)


def test_training(open_page: OpenPage) -> None:
    """A training's log, metrics, result and artifact names are shown as text."""
    page = open_page("#/hostile/train")
    page.get_by_role("button", name="Train", exact=True).click()
    training = page.locator("training-card")
    expect(training.locator(".state")).to_have_text("done")
    expect(training.get_by_role("log")).to_contain_text(EVIL)
    expect(training.get_by_role("link", name="<b>artifact")).to_be_visible()
    expect(training.locator("figcaption")).to_contain_text(EVIL)
    assert_unharmed(page)
    open_tab(page, "Predict")
