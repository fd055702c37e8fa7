"""The Train tab: start, follow, cancel and compare trainings, and reload the model."""

import itertools
import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from support.server import Gate
from ui.pages import OpenPage, open_tab, predict_and_wait

pytestmark = pytest.mark.slow


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """Return the Train tab of a model that reports metrics."""
    return open_page("#/trained/train")


def train(page: Page, **arguments: str) -> Locator:
    """Start a training and return its card."""
    for name, text in arguments.items():
        page.locator("train-page").get_by_label(name, exact=True).fill(text)
    page.get_by_role("button", name="Train", exact=True).click()
    opened = page.locator("training-card:has(training-view)")
    expect(opened.locator(".overview")).to_contain_text(arguments.get("name", ""))
    expect(page).to_have_url(re.compile(r"/train/[0-9a-f]{32}$"))
    return opened


def expect_points(training: Locator, count: int) -> None:
    """Wait until the loss chart has this number of points."""
    loss = training.locator("figure").filter(has_text="loss")
    expect(loss.get_by_role("img")).to_have_accessible_name(re.compile(f"loss: {count} points"))


def test_follow_training(page: Page, gate: Gate, tmp_path: Path) -> None:
    """The page follows a training: state, progress, remaining time, log, charts, result, artifacts."""
    (tmp_path / "data.bin").write_bytes(b"12345")
    page.locator("train-page input[type=file]").set_input_files(tmp_path / "data.bin")
    training = train(page, name="watched", port=str(gate.port))
    gate.wait()
    expect(training.locator(".state")).to_have_text("running")
    expect_points(training, 5)
    expect(training.locator("line-chart canvas").first).to_be_visible()
    expect(training.locator("progress")).to_have_js_property("value", 0.5)
    expect(training.locator(".progress")).to_contain_text(re.compile("50 %, .* remaining"))
    expect(training.get_by_role("log")).to_contain_text("step 5 of watched")
    gate.open()
    expect(training.locator(".state")).to_have_text("done")
    expect_points(training, 10)
    expect(training.get_by_role("log")).to_contain_text("step 10 of watched")
    expect(training.locator("dl").first).to_contain_text("0.9")
    with page.expect_download() as download:
        training.get_by_role("link", name="deep/weights 1.json").click()
    assert download.value.suggested_filename == "weights 1.json"
    assert Path(download.value.path()).read_text() == '{"name": "watched"}'
    training.get_by_role("button", name="Provenance").click()
    expect(training.get_by_text("environment")).to_be_visible()


def test_page_reload(page: Page, gate: Gate) -> None:
    """A page reload during a training shows its complete chart and log again."""
    train(page, name="again", port=str(gate.port))
    gate.wait()
    page.reload()
    training = page.locator("training-card:has(training-view)")
    expect_points(training, 5)
    expect(training.get_by_role("log")).to_contain_text("step 1 of again")
    gate.open()
    expect(training.locator(".state")).to_have_text("done")
    expect_points(training, 10)


def test_connection_lost(page: Page, client: httpx.Client, gate: Gate) -> None:
    """After a lost connection, the page resumes the event stream without duplicates."""
    last_event_ids: list[str | None] = []

    def interrupt_first(route: Route) -> None:
        last_event_ids.append(route.request.header_value("Last-Event-ID"))
        if len(last_event_ids) > 1:
            route.continue_()
            return
        with client.stream("GET", urlsplit(route.request.url).path) as stream:
            lines = list(itertools.takewhile(lambda line: "step 5 of" not in line, stream.iter_lines()))
        route.fulfill(content_type="text/event-stream", body="\n".join(lines))

    page.route("**/events?*", interrupt_first)
    training = train(page, name="lost and found", port=str(gate.port))
    gate.wait()
    expect_points(training, 5)
    gate.open()
    expect(training.locator(".state")).to_have_text("done")
    expect_points(training, 10)
    assert last_event_ids[0] is None
    assert last_event_ids[1]
    lines = training.get_by_role("log").inner_text().split("\n")
    assert [line for line in lines if line.startswith("step")] == [
        f"step {step} of lost and found" for step in range(1, 11)
    ]


def test_cancel(page: Page, gate: Gate) -> None:
    """Cancelling requires a confirmation; the chart of a cancelled training remains."""
    training = train(page, name="cancelled", port=str(gate.port))
    gate.wait()
    training.get_by_role("button", name="Cancel", exact=True).click()
    training.get_by_role("button", name="Keep running").click()
    training.get_by_role("button", name="Cancel", exact=True).click()
    expect(training.get_by_role("button", name="Confirm cancellation")).to_be_focused()
    page.keyboard.press("Enter")
    expect(training.locator(".state")).to_have_text("cancelled")
    expect(training.get_by_role("button", name="Cancel")).to_have_count(0)
    expect_points(training, 5)


def test_failure(page: Page) -> None:
    """A failed training shows its error and traceback."""
    page.locator("train-page").get_by_label("fails", exact=True).check()
    training = train(page, name="failing")
    expect(training.locator(".state")).to_have_text("failed")
    expect(training.get_by_role("alert")).to_contain_text("ValueError: it did not converge")
    training.get_by_text("Traceback", exact=True).click()
    expect(training.locator("training-view pre").first).to_contain_text("raise ValueError")


def test_problems(page: Page) -> None:
    """The messages of a 422 appear at their fields, and no training starts."""
    form = page.locator("train-page")
    form.get_by_label("rate", exact=True).fill("7")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(form.locator(".invalid .problem")).to_contain_text("Must be greater than or equal to 0.01")
    expect(form.get_by_label("rate", exact=True)).to_be_focused()
    assert page.url.endswith("/train")


def test_comparison(page: Page) -> None:
    """A chart compares trainings, labelled with the arguments that differ."""
    for name, rate in (("first", "0.2"), ("second", "0.4")):
        training = train(page, name=name, rate=rate)
        expect(training.locator(".state")).to_have_text("done")
        training.get_by_label("Compare").check()
    compared = page.get_by_role("region", name="Comparison")
    loss = compared.locator("figure").filter(has_text="loss")
    drawn = loss.get_by_role("img")
    expect(drawn).to_have_accessible_name(re.compile('"first", rate 0.2 .*: 10 points, from 0.2 to 0.02'))
    expect(drawn).to_have_accessible_name(re.compile('"second", rate 0.4 .*: 10 points, from 0.4 to 0.04'))
    expect(loss.get_by_role("listitem")).to_have_count(2)
    expect(loss.locator("canvas")).to_be_visible()


def test_reload(page: Page) -> None:
    """A button outside the training cards reloads the model in new workers."""
    for name in ("before", "put to use"):
        expect(train(page, name=name).locator(".state")).to_have_text("done")
    reload = page.get_by_role("button", name="Reload model")
    expect(reload).to_have_count(1)
    expect(page.locator("training-card").get_by_role("button", name="Reload model")).to_have_count(0)
    expect(page.locator("model-reload")).to_contain_text("load the model from disk")
    reload.click()
    expect(page.locator("model-reload")).to_contain_text("New workers are serving.")
    open_tab(page, "Predict")
    expect(predict_and_wait(page)).to_contain_text("put to use")


def test_empty(open_page: OpenPage) -> None:
    """An empty list explains how to start a training."""
    page = open_page("#/steps/train")
    expect(page.get_by_text("No trainings yet.")).to_be_visible()
    open_tab(page, "Predict")
    expect(page.get_by_text("This model takes no arguments.")).to_be_visible()
