"""Helpers of the browser tests: submit a form, open a tab."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

OpenPage = Callable[..., Page]


def predict(page: Page) -> None:
    """Submit the form without waiting for the response."""
    page.get_by_role("button", name="Predict", exact=True).click()


def predict_and_wait(page: Page) -> Locator:
    """Submit the form, wait for the response, and return its section."""
    predict(page)
    expect(page.get_by_role("status").filter(has_text="Response in")).to_be_visible()
    return page.locator(".response")


def open_tab(page: Page, name: str) -> None:
    """Open a tab."""
    page.get_by_role("link", name=name, exact=True).click()
