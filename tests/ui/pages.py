"""What the tests of the page share: how it is opened, and how a form is sent."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

Open = Callable[..., Page]


def predict(page: Page) -> None:
    """Send the form, without waiting for the answer."""
    page.get_by_role("button", name="Predict", exact=True).click()


def predicted(page: Page) -> Locator:
    """Send the form, wait for the answer, and return what is shown of it."""
    predict(page)
    expect(page.get_by_role("status").filter(has_text="Answered in")).to_be_visible()
    return page.locator(".answer")


def to_tab(page: Page, name: str) -> None:
    """Go to a tab."""
    page.get_by_role("link", name=name, exact=True).click()
