"""Trainings in the browser: started, watched, cancelled, compared, and their work put to use."""

import itertools
import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from serving import Gate
from ui.pages import Open, predicted, to_tab

pytestmark = pytest.mark.slow


@pytest.fixture
def page(open_page: Open) -> Page:
    """Return the tab that trains the model which tells its curve."""
    return open_page("#/trained/train")


def train(page: Page, **arguments: str) -> Locator:
    """Start a training and return what is shown of it."""
    for name, text in arguments.items():
        page.locator("train-page").get_by_label(name, exact=True).fill(text)
    page.get_by_role("button", name="Train", exact=True).click()
    opened = page.locator("training-card:has(training-view)")
    expect(opened.locator(".what")).to_contain_text(arguments.get("name", ""))
    expect(page).to_have_url(re.compile(r"/train/[0-9a-f]{32}$"))
    return opened


def shows_points(training: Locator, count: int) -> None:
    """Wait until a training's curves have that many points."""
    loss = training.locator("figure").filter(has_text="loss")
    expect(loss.get_by_role("img")).to_have_accessible_name(re.compile(f"loss: {count} points"))


def test_watched_to_its_end(page: Page, gate: Gate, tmp_path: Path) -> None:
    """A training is seen from start to end: state, progress, time to go, log, curve, result, artifacts."""
    (tmp_path / "data.bin").write_bytes(b"12345")
    page.locator("train-page input[type=file]").set_input_files(tmp_path / "data.bin")
    training = train(page, name="watched", port=str(gate.port))
    gate.wait()
    expect(training.locator(".state")).to_have_text("running")
    shows_points(training, 5)
    expect(training.locator("line-chart canvas").first).to_be_visible()
    expect(training.locator("progress")).to_have_js_property("value", 0.5)
    expect(training.locator(".progress")).to_contain_text(re.compile("50 %, .* to go"))
    expect(training.get_by_role("log")).to_contain_text("step 5 of watched")
    gate.open()
    expect(training.locator(".state")).to_have_text("done")
    shows_points(training, 10)
    expect(training.get_by_role("log")).to_contain_text("step 10 of watched")
    expect(training.locator("dl").first).to_contain_text("0.9")
    with page.expect_download() as download:
        training.get_by_role("link", name="deep/weights 1.json").click()
    assert download.value.suggested_filename == "weights 1.json"
    assert Path(download.value.path()).read_text() == '{"name": "watched"}'
    training.get_by_role("button", name="How it came to be").click()
    expect(training.get_by_text("environment")).to_be_visible()


def test_page_reloaded(page: Page, gate: Gate) -> None:
    """A page that is loaded again in the middle shows the same training, its whole curve and log."""
    train(page, name="again", port=str(gate.port))
    gate.wait()
    page.reload()
    training = page.locator("training-card:has(training-view)")
    shows_points(training, 5)
    expect(training.get_by_role("log")).to_contain_text("step 1 of again")
    gate.open()
    expect(training.locator(".state")).to_have_text("done")
    shows_points(training, 10)


def test_connection_lost(page: Page, client: httpx.Client, gate: Gate) -> None:
    """Where the stream of a training breaks off, the page takes it up again, and shows nothing twice."""
    begun: list[str | None] = []

    def breaks_off(route: Route) -> None:
        begun.append(route.request.header_value("Last-Event-ID"))
        if len(begun) > 1:
            route.continue_()
            return
        with client.stream("GET", urlsplit(route.request.url).path) as stream:
            lines = list(itertools.takewhile(lambda line: "step 5 of" not in line, stream.iter_lines()))
        route.fulfill(content_type="text/event-stream", body="\n".join(lines))

    page.route("**/events?*", breaks_off)
    training = train(page, name="lost and found", port=str(gate.port))
    gate.wait()
    shows_points(training, 5)
    gate.open()
    expect(training.locator(".state")).to_have_text("done")
    shows_points(training, 10)
    assert begun[0] is None
    assert begun[1]
    lines = training.get_by_role("log").inner_text().split("\n")
    assert [line for line in lines if line.startswith("step")] == [
        f"step {step} of lost and found" for step in range(1, 11)
    ]


def test_cancel(page: Page, gate: Gate) -> None:
    """A training is cancelled with two presses, the second of which says so, and keeps what it had shown."""
    training = train(page, name="cancelled", port=str(gate.port))
    gate.wait()
    training.get_by_role("button", name="Cancel", exact=True).click()
    training.get_by_role("button", name="Let it go on").click()
    training.get_by_role("button", name="Cancel", exact=True).click()
    expect(training.get_by_role("button", name="Cancel it now")).to_be_focused()
    page.keyboard.press("Enter")
    expect(training.locator(".state")).to_have_text("cancelled")
    expect(training.get_by_role("button", name="Cancel")).to_have_count(0)
    shows_points(training, 5)


def test_failure(page: Page) -> None:
    """A training that fails says with what, and where."""
    page.locator("train-page").get_by_label("fails", exact=True).check()
    training = train(page, name="failing")
    expect(training.locator(".state")).to_have_text("failed")
    expect(training.get_by_role("alert")).to_contain_text("ValueError: it did not converge")
    training.get_by_text("Traceback", exact=True).click()
    expect(training.locator("training-view pre").first).to_contain_text("raise ValueError")


def test_problems(page: Page) -> None:
    """The messages of a 422 stand at the fields of this form as well, and nothing is started."""
    form = page.locator("train-page")
    form.get_by_label("rate", exact=True).fill("7")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(form.locator(".wrong .problem")).to_contain_text("Must be greater than or equal to 0.01")
    expect(form.get_by_label("rate", exact=True)).to_be_focused()
    assert page.url.endswith("/train")


def test_compared(page: Page) -> None:
    """The curves of several trainings are drawn together, told apart by the arguments that differ."""
    for name, rate in (("first", "0.2"), ("second", "0.4")):
        training = train(page, name=name, rate=rate)
        expect(training.locator(".state")).to_have_text("done")
        training.get_by_label("Compare").check()
    compared = page.get_by_role("region", name="Compared")
    loss = compared.locator("figure").filter(has_text="loss")
    drawn = loss.get_by_role("img")
    expect(drawn).to_have_accessible_name(re.compile('"first", rate 0.2 .*: 10 points, from 0.2 to 0.02'))
    expect(drawn).to_have_accessible_name(re.compile('"second", rate 0.4 .*: 10 points, from 0.4 to 0.04'))
    expect(loss.get_by_role("listitem")).to_have_count(2)
    expect(loss.locator("canvas")).to_be_visible()


def test_reload(page: Page) -> None:
    """One button, outside of the trainings, has new workers load what is on disk, and says so."""
    for name in ("before", "put to use"):
        expect(train(page, name=name).locator(".state")).to_have_text("done")
    reload = page.get_by_role("button", name="Reload the model")
    expect(reload).to_have_count(1)
    expect(page.locator("training-card").get_by_role("button", name="Reload the model")).to_have_count(0)
    expect(page.locator("model-reload")).to_contain_text("load what the model's code finds on disk")
    reload.click()
    expect(page.locator("model-reload")).to_contain_text("New workers answer from now on.")
    to_tab(page, "Predict")
    expect(predicted(page)).to_contain_text("put to use")


def test_empty(open_page: Open) -> None:
    """Where there is no training yet, the page says how to begin."""
    page = open_page("#/steps/train")
    expect(page.get_by_text("None yet.")).to_be_visible()
    to_tab(page, "Predict")
    expect(page.get_by_text("This model takes no arguments.")).to_be_visible()
