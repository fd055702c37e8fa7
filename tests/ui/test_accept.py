"""Models as public modules write them: `accept` in each spelling and place, predictions in an envelope."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from serving import Server, serving
from support.models import SPELLINGS_OF_ACCEPT
from ui.pages import Open, predicted

pytestmark = pytest.mark.slow
MODELS = SPELLINGS_OF_ACCEPT | {"enveloped": "models_ui.enveloped"}


@pytest.fixture(scope="module", params=["string", "json"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server of these models, in each kind of envelope."""
    folder = tmp_path_factory.mktemp("accept")
    with serving(folder, "--predictions", request.param, models=MODELS) as server:
        yield server


@pytest.mark.parametrize("model", SPELLINGS_OF_ACCEPT)
def test_every_spelling(open_page: Open, server: Server, model: str) -> None:
    """The form predicts without a choice and with one, wherever `accept` is located."""
    page = open_page(f"#/{model}", server=server)
    expect(predicted(page)).to_contain_text("application/json")
    name = "Accept" if model.endswith("Renamed") else "accept"
    page.get_by_label(name).select_option("application/pdf")
    expect(predicted(page)).to_contain_text("application/pdf, 22 B")


@pytest.mark.parametrize(
    ("kind", "shown"), [("list", "1, 2"), ("object", "labels"), ("text", "hello"), ("none", "none")]
)
def test_envelope(open_page: Open, server: Server, kind: str, shown: str) -> None:
    """The prediction is shown without its envelope, whether that holds a string or a value."""
    page = open_page("#/enveloped", server=server)
    page.get_by_label("kind").select_option(kind)
    answer = predicted(page).locator(".shown")
    expect(answer).to_contain_text(shown)
    expect(answer).not_to_contain_text("predictions")


def test_text_that_looks_like_json(open_page: Open, server: Server, request: pytest.FixtureRequest) -> None:
    """A text that is sent as a value is shown as the text that it is."""
    page = open_page("#/enveloped", server=server)
    page.get_by_label("kind").select_option("json")
    answer = predicted(page).locator(".shown")
    expect(answer).to_contain_text("a")
    is_value = "json" in request.node.callspec.id
    assert (answer.locator("dl").count() == 0) is is_value
