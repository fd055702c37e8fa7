"""Numbers are shown and sent with all digits, even if JavaScript would round or rewrite them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from models.ui.exact_numbers import BIG, SEED, SHARE
from ui.pages import OpenPage, open_tab, predict, predict_and_wait

pytestmark = pytest.mark.slow
Upload = Callable[[str, bytes], Path]
DEFAULTS: dict[str, Any] = {
    "form": "arguments",
    "seed": SEED,
    "strict": BIG,
    "rate": 1e16,
    "ids": [BIG],
    "options": {"id": BIG, "scale": 1.0},
    "anything": {"id": BIG},
    "count": BIG,
    "chosen": BIG,
    "range": BIG,
}
# Record the texts of charts: a canvas does not keep them.
KEEP_DRAWN_TEXTS = """
  globalThis.drawnTexts = [];
  const { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
    drawnTexts.push(text);
    return fillText.call(this, text, ...place);
  };
"""


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """Return the page of the model `exact_numbers`."""
    return open_page("#/exact_numbers")


def field(page: Page, name: str) -> Locator:
    """Return the input of a predict argument."""
    return page.locator("predict-page").get_by_label(name, exact=True)


def submit(page: Page) -> str:
    """Submit the form and return the request body as text."""
    with page.expect_request("**/predict/") as request:
        predict(page)
    return request.value.post_data or ""


def predict_form(page: Page, form: str) -> Locator:
    """Predict with this `form` argument and return the displayed response."""
    field(page, "form").select_option(form)
    return predict_and_wait(page).locator("response-view .shown")


def get_value(shown: Locator, name: str) -> Locator:
    """Return the displayed value of a name."""
    term = shown.page.locator("dt").get_by_text(name, exact=True)
    return shown.locator("dl > div").filter(has=term).last.locator("> dd")


def test_untouched_defaults(page: Page) -> None:
    """Defaults are shown with all digits and sent unchanged if the user does not edit them."""
    expect(field(page, "seed")).to_have_value("1234567890123456789")
    expect(field(page, "rate")).to_have_value("1e+16")
    expect(field(page, "ids")).to_have_value("9007199254740993")
    expect(field(page, "options")).to_have_value('{\n  "id": 9007199254740993,\n  "scale": 1.0\n}')
    expect(field(page, "anything")).to_have_value('{"id":9007199254740993}')
    expect(field(page, "chosen")).to_have_value("9007199254740993")
    expect(field(page, "seed")).to_have_attribute("placeholder", "1234567890123456789")
    sent = submit(page)
    assert json.loads(sent) == DEFAULTS
    assert '"rate":1e+16' in sent
    assert '"scale":1.0' in sent


def test_large_range_has_no_slider(page: Page) -> None:
    """A range beyond exact doubles has no slider, and its bounds are shown in full."""
    expect(field(page, "range")).to_have_accessible_description("9007199254740991 to 9007199254741002.")
    expect(page.get_by_role("slider")).to_have_count(0)


def test_typed_numbers(page: Page) -> None:
    """Numbers, lists, choices and JSON are sent as typed; other arguments stay unchanged."""
    for name, text in {
        "seed": "1234567890123456780",
        "strict": "-9007199254740995",
        "rate": "0.1000",
        "ids": "9007199254740995, 1234567890123456787",
        "options": '{"id": 9007199254740997, "scale": 2.50, "list": [1E5, -0.0]}',
        "anything": "[9007199254740999, 3.0]",
    }.items():
        field(page, name).fill(text)
    field(page, "chosen").select_option("9007199254740995")
    sent = submit(page)
    for part in (
        '"seed":1234567890123456780',
        '"strict":-9007199254740995',
        '"rate":0.1000',
        '"ids":[9007199254740995,1234567890123456787]',
        '"options":{"id":9007199254740997,"scale":2.50,"list":[1E5,-0.0]}',
        '"anything":[9007199254740999,3.0]',
        f'"count":{BIG}',
        '"chosen":9007199254740995',
    ):
        assert part in sent
    shown = predict_and_wait(page).locator("response-view .shown")
    expect(get_value(shown, "seed")).to_have_text("1234567890123456780")
    expect(get_value(shown, "strict")).to_have_text("-9007199254740995")


def test_multipart(page: Page, upload: Upload) -> None:
    """Numbers in a multipart body keep all digits."""
    field(page, "strict").fill("")  # strict numbers require JSON; parts of a form are texts
    field(page, "ids").fill("9007199254740995, 2")
    page.locator("predict-page input[type=file]").set_input_files(upload("a.bin", b"1"))
    shown = predict_and_wait(page).locator("response-view .shown")
    expect(get_value(shown, "seed")).to_have_text("1234567890123456789")
    expect(get_value(shown, "ids")).to_have_text("9007199254740995, 2")
    expect(get_value(shown, "options")).to_contain_text("9007199254740993")


def test_snippets(page: Page) -> None:
    """The code for other tools contains all digits."""
    field(page, "options").fill('{"id": 9007199254740997, "scale": 2.50}')
    snippets = page.locator("predict-page snippet-view")
    snippets.locator("summary").click()
    for tool, text in {
        "curl": '"options":{"id":9007199254740997,"scale":2.50}',
        "Python": '"options": {"id": 9007199254740997, "scale": 2.50}',
        "deepaas-cli": """'{"id": 9007199254740997, "scale": 2.50}'""",
    }.items():
        snippets.get_by_role("button", name=tool, exact=True).click()
        expect(snippets.locator("pre")).to_contain_text(text)
        expect(snippets.locator("pre")).to_contain_text("1234567890123456789")
        expect(snippets.locator("pre")).to_contain_text("1e+16")


def test_history(page: Page) -> None:
    """The history lists arguments that differ from their defaults by value, not by notation."""
    field(page, "ids").fill("9007199254740993")
    field(page, "options").fill('{"id": 9007199254740993.0, "scale": 1}')
    predict_and_wait(page)
    field(page, "seed").fill("1234567890123456780")
    predict_and_wait(page)
    calls = page.locator(".history button .overview")
    expect(calls).to_have_text(["seed 1234567890123456780", "default arguments"])


def test_scalars(page: Page) -> None:
    """Numbers of a response are shown as sent, also in its text."""
    shown = predict_form(page, "arguments")
    for name, text in {
        "response_id": "9007199254740993",
        "one": "1.0",
        "huge": "1e+16",
        "minus": "-0.0",
        "seed": "1234567890123456789",
    }.items():
        expect(get_value(shown, name)).to_have_text(text)
    page.get_by_role("button", name="JSON").click()
    expect(page.locator("response-view pre")).to_contain_text(str(BIG))


@pytest.mark.parametrize(
    ("form", "cells"),
    [
        ("objects", ["9007199254740993", "0.1234567890123", "1234567890123456789", "1.0"]),
        ("matrix", ["9007199254740993", "1.0", "0.1234567890123", "1e+16"]),
    ],
)
def test_tables(page: Page, form: str, cells: list[str]) -> None:
    """Table cells have all digits."""
    expect(predict_form(page, form).get_by_role("cell")).to_have_text(cells)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("pair", "9007199254740993, 1.0"),
        ("flags", "true, , 9007199254740993"),
        ("deep", "[9007199254740993,1.0]"),
    ],
)
def test_lists(page: Page, form: str, text: str) -> None:
    """Numbers in lists, and in JSON shown as text, have all digits."""
    expect(predict_form(page, form).locator(".value, pre")).to_have_text(text)


def test_truncated_cell(page: Page) -> None:
    """A truncated cell has its full text as tooltip."""
    cell = predict_form(page, "long").get_by_role("cell").locator("span")
    expect(cell).to_have_text(re.compile(r"^\[9007199254740993,.*…$"))
    expect(cell).to_have_attribute("title", f"[{','.join([str(BIG)] * 20)}]")


def test_probabilities(page: Page) -> None:
    """A probability is a percentage, with the exact value as tooltip and for screen readers."""
    bars = predict_form(page, "labels").get_by_role("listitem")
    for index, (percent, full) in enumerate(
        [("12.3 %", "0.1234567890123"), ("100.0 %", "1.0"), ("< 0.01 %", "1e-7")]
    ):
        score = bars.nth(index).locator(".score")
        expect(score).to_contain_text(re.compile(rf"{percent}\s+\({re.escape(full)}\)"))
        expect(score.get_by_text(percent)).to_have_attribute("title", full)


def test_scores(page: Page) -> None:
    """Other scores, and labels that are numbers, are shown as sent."""
    bars = predict_form(page, "scores").get_by_role("listitem")
    expect(bars.locator(".score")).to_have_text(["1234567890123456789", "-1.5"])
    expect(bars.locator(".label")).to_have_text(["9007199254740993", "1.0"])


def test_curve(open_page: OpenPage) -> None:
    """Axis ticks are short but distinct; exact values are in the description, tooltip and list."""
    page = open_page()
    page.add_init_script(KEEP_DRAWN_TEXTS)
    page.goto(page.url.split("#")[0] + "#/exact_numbers")
    page.reload()
    shown = predict_form(page, "curve")
    expect(shown.get_by_role("img")).to_have_accessible_name(
        re.compile(r"3 points, from 1234567\.1 to 1234567\.2$")
    )
    shown.get_by_text("3 numbers").click()
    expect(shown.locator("line-chart + details")).to_contain_text("1234567.1, 1234567.123456, 1234567.2")
    shown.locator(".u-over").hover()
    expect(shown.locator(".u-over")).to_have_attribute(
        "title", re.compile(r"^position 2\n.*1234567\.123456$")
    )
    ticks = [text for text in page.evaluate("drawnTexts") if text.startswith("1234567.")]
    assert "1234567.123456" not in ticks
    assert len(set(ticks)) > 1


def test_stream(open_page: OpenPage) -> None:
    """Streamed items have all digits, in the table and in the download."""
    page = open_page("#/number_stream")
    shown = predict_and_wait(page)
    expect(shown.get_by_role("cell")).to_have_text(
        ["9007199254740993", "1.0", "1234567890123456789", "1e+16"]
    )
    with page.expect_download() as download:
        shown.get_by_role("button", name="Download").click()
    assert Path(download.value.path()).read_text() == (
        '{"id":9007199254740993,"share":1.0}\n{"id":1234567890123456789,"share":1e+16}\n'
    )


def train(page: Page, **arguments: str) -> Locator:
    """Run a training and return its card when it is done."""
    for name, text in arguments.items():
        page.locator("train-page").get_by_label(name, exact=True).fill(text)
    page.get_by_role("button", name="Train", exact=True).click()
    opened = page.locator("training-card:has(training-view)")
    expect(opened.locator(".overview")).to_contain_text(arguments.get("seed", ""))
    expect(opened.locator(".state")).to_have_text("done")
    return opened


def test_training(page: Page) -> None:
    """Metrics, result, arguments and provenance of a training have all digits."""
    open_tab(page, "Train")
    training = train(page, seed="1234567890123456780")
    expect(training.locator(".overview")).to_contain_text(re.compile("^seed 1234567890123456780 · took"))
    expect(training.locator(".overview").get_by_text("took")).to_have_attribute(
        "title", re.compile(r"\d:\d\d")
    )
    loss = training.locator("figure").filter(has_text="loss")
    expect(loss.locator("figcaption")).to_have_text(f"loss {SHARE / 3!r}")
    expect(training.locator("figcaption").filter(has_text="one")).to_have_text("one 1.0")
    expect(loss.get_by_role("img")).to_have_accessible_name(
        f"loss: 3 points, from 0.1234567890123 to {SHARE / 3!r}"
    )
    loss.get_by_text("Values").click()
    expect(loss.get_by_role("cell")).to_have_text(
        ["3.0", repr(SHARE / 3), "2.0", repr(SHARE / 2), "1.0", "0.1234567890123"]
    )
    shown = training.locator("training-view > div").filter(has_text="best")
    for name, text in {"best": "0.1234567890123", "one": "1.0", "seed": "1234567890123456780"}.items():
        expect(get_value(shown, name)).to_have_text(text)
    training.get_by_text("Arguments", exact=True).click()
    expect(get_value(training.locator(".arguments"), "seed")).to_have_text("1234567890123456780")
    training.get_by_role("button", name="Provenance").click()
    expect(training.get_by_role("region", name="Provenance")).to_contain_text("1234567890123456780")
    training.locator("a.title").click()
    latest = page.locator("training-card .latest").first
    expect(latest).to_contain_text(
        re.compile(rf"loss {SHARE / 3!r}.*one 1\.0.*seen 9007199254740996", re.DOTALL)
    )


def test_comparison(page: Page) -> None:
    """The comparison labels trainings with all digits of the arguments that differ."""
    open_tab(page, "Train")
    for seed in ("1234567890123456781", "1234567890123456782"):
        train(page, seed=seed).get_by_label("Compare").check()
    loss = page.get_by_role("region", name="Comparison").locator("figure").filter(has_text="loss")
    curves = loss.get_by_role("listitem")
    expect(curves).to_have_count(2)
    for seed in ("1234567890123456781", "1234567890123456782"):
        expect(curves.filter(has_text=f"seed {seed} (")).to_contain_text(repr(SHARE / 3))


def test_default_arguments_of_training(page: Page) -> None:
    """A default in another notation, 1 for 1.0, counts as unchanged."""
    open_tab(page, "Train")
    expect(train(page, options='{"scale": 1}').locator(".overview")).to_contain_text("default arguments")
