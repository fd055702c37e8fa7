"""Models like those of public modules: `accept` in each spelling and location, predictions in an envelope."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from support.models import SPELLINGS_OF_ACCEPT
from support.server import Server, serving
from ui.pages import OpenPage, predict_and_wait

pytestmark = pytest.mark.slow
MODELS = SPELLINGS_OF_ACCEPT | {"enveloped": "models.ui.enveloped"}


@pytest.fixture(scope="module", params=["string", "json"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server of these models, with each kind of envelope."""
    folder = tmp_path_factory.mktemp("accept")
    with serving(folder, "--predictions", request.param, models=MODELS) as server:
        yield server


@pytest.mark.parametrize("model", SPELLINGS_OF_ACCEPT)
def test_every_spelling(open_page: OpenPage, server: Server, model: str) -> None:
    """The form predicts with the default and with a selected media type, wherever `accept` is located."""
    page = open_page(f"#/{model}", server=server)
    expect(predict_and_wait(page)).to_contain_text("application/json")
    name = "Accept" if model.endswith("Renamed") else "accept"
    page.get_by_label(name).select_option("application/pdf")
    expect(predict_and_wait(page)).to_contain_text("application/pdf, 22 B")


@pytest.mark.parametrize(
    ("kind", "text"), [("list", "1, 2"), ("object", "labels"), ("text", "hello"), ("none", "none")]
)
def test_envelope(open_page: OpenPage, server: Server, kind: str, text: str) -> None:
    """The prediction is shown without its envelope, which contains a string or a value."""
    page = open_page("#/enveloped", server=server)
    page.get_by_label("kind").select_option(kind)
    shown = predict_and_wait(page).locator(".shown")
    expect(shown).to_contain_text(text)
    expect(shown).not_to_contain_text("predictions")


def test_text_that_looks_like_json(
    open_page: OpenPage, server: Server, request: pytest.FixtureRequest
) -> None:
    """A text that looks like JSON is shown as text if the envelope contains values."""
    page = open_page("#/enveloped", server=server)
    page.get_by_label("kind").select_option("json")
    shown = predict_and_wait(page).locator(".shown")
    expect(shown).to_contain_text("a")
    is_value = "json" in request.node.callspec.id
    assert (shown.locator("dl").count() == 0) is is_value
