"""Numbers are shown and sent digit by digit, also those that JavaScript rounds or writes in another way."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from models_ui.exact_numbers import BIG, SEED, SHARE
from ui.pages import Open, predict, predicted, to_tab

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
# A chart is drawn on a canvas, which keeps no texts.
KEEP_DRAWN_TEXTS = """
  globalThis.drawnTexts = [];
  const { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
    drawnTexts.push(text);
    return fillText.call(this, text, ...place);
  };
"""


@pytest.fixture
def page(open_page: Open) -> Page:
    """Return the page of the model of numbers."""
    return open_page("#/exact_numbers")


def field(page: Page, name: str) -> Locator:
    """Return the input of an argument of a prediction."""
    return page.locator("predict-page").get_by_label(name, exact=True)


def body(page: Page) -> str:
    """Send the form and return the body of the request, as a text."""
    with page.expect_request("**/predict/") as request:
        predict(page)
    return request.value.post_data or ""


def answered(page: Page, form: str) -> Locator:
    """Ask for an answer of one form and return what is shown of it."""
    field(page, "form").select_option(form)
    return predicted(page).locator("answer-view .shown")


def fact(shown: Locator, name: str) -> Locator:
    """Return the value that is shown beside a name."""
    term = shown.page.locator("dt").get_by_text(name, exact=True)
    return shown.locator("dl > div").filter(has=term).last.locator("> dd")


def test_untouched_defaults(page: Page) -> None:
    """Each default is shown digit by digit, and one that nobody touches is sent as it is."""
    expect(field(page, "seed")).to_have_value("1234567890123456789")
    expect(field(page, "rate")).to_have_value("1e+16")
    expect(field(page, "ids")).to_have_value("9007199254740993")
    expect(field(page, "options")).to_have_value('{\n  "id": 9007199254740993,\n  "scale": 1.0\n}')
    expect(field(page, "anything")).to_have_value('{"id":9007199254740993}')
    expect(field(page, "chosen")).to_have_value("9007199254740993")
    expect(field(page, "seed")).to_have_attribute("placeholder", "1234567890123456789")
    sent = body(page)
    assert json.loads(sent) == DEFAULTS
    assert '"rate":1e+16' in sent
    assert '"scale":1.0' in sent


def test_large_range_has_no_slider(page: Page) -> None:
    """A range of numbers that a slider cannot compute with has none, and its bounds are shown in full."""
    expect(field(page, "range")).to_have_accessible_description("9007199254740991 to 9007199254741002.")
    expect(page.get_by_role("slider")).to_have_count(0)


def test_typed_numbers(page: Page) -> None:
    """Numbers, lists, choices and JSON are sent as they were typed, and nothing else changes."""
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
    sent = body(page)
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
    shown = predicted(page).locator("answer-view .shown")
    expect(fact(shown, "seed")).to_have_text("1234567890123456780")
    expect(fact(shown, "strict")).to_have_text("-9007199254740995")


def test_beside_a_file(page: Page, upload: Upload) -> None:
    """Numbers in a multipart body are those of the form as well."""
    field(page, "strict").fill("")  # a strict number takes JSON: a part of a form is a text
    field(page, "ids").fill("9007199254740995, 2")
    page.locator("predict-page input[type=file]").set_input_files(upload("a.bin", b"1"))
    shown = predicted(page).locator("answer-view .shown")
    expect(fact(shown, "seed")).to_have_text("1234567890123456789")
    expect(fact(shown, "ids")).to_have_text("9007199254740995, 2")
    expect(fact(shown, "options")).to_contain_text("9007199254740993")


def test_snippets(page: Page) -> None:
    """The calls for other tools have the same digits."""
    field(page, "options").fill('{"id": 9007199254740997, "scale": 2.50}')
    snippets = page.locator("predict-page snippet-view")
    snippets.locator("summary").click()
    for tool, text in {
        "curl": '"options":{"id":9007199254740997,"scale":2.50}',
        "Python": '"options": {"id": 9007199254740997, "scale": 2.50}',
        "deepaas-cli": """'{"id": 9007199254740997, "scale": 2.50}'""",
    }.items():
        snippets.get_by_role("button", name=f"as {tool}").click()
        expect(snippets.locator("pre")).to_contain_text(text)
        expect(snippets.locator("pre")).to_contain_text("1234567890123456789")
        expect(snippets.locator("pre")).to_contain_text("1e+16")


def test_history(page: Page) -> None:
    """Only what differs from the defaults tells calls apart, whatever way a number is written in."""
    field(page, "ids").fill("9007199254740993")
    field(page, "options").fill('{"id": 9007199254740993.0, "scale": 1}')
    predicted(page)
    field(page, "seed").fill("1234567890123456780")
    predicted(page)
    calls = page.locator(".history button .what")
    expect(calls).to_have_text(["seed 1234567890123456780", "with the defaults"])


def test_scalars(page: Page) -> None:
    """A number of an answer is shown as it was sent, and so is the answer's text."""
    shown = answered(page, "arguments")
    for name, text in {
        "answer_id": "9007199254740993",
        "one": "1.0",
        "huge": "1e+16",
        "minus": "-0.0",
        "seed": "1234567890123456789",
    }.items():
        expect(fact(shown, name)).to_have_text(text)
    page.get_by_role("button", name="JSON").click()
    expect(page.locator("answer-view pre")).to_contain_text(str(BIG))


@pytest.mark.parametrize(
    ("form", "cells"),
    [
        ("objects", ["9007199254740993", "0.1234567890123", "1234567890123456789", "1.0"]),
        ("matrix", ["9007199254740993", "1.0", "0.1234567890123", "1e+16"]),
    ],
)
def test_tables(page: Page, form: str, cells: list[str]) -> None:
    """The cells of a table have all digits."""
    expect(answered(page, form).get_by_role("cell")).to_have_text(cells)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("pair", "9007199254740993, 1.0"),
        ("flags", "true, , 9007199254740993"),
        ("deep", "[9007199254740993,1.0]"),
    ],
)
def test_lists(page: Page, form: str, text: str) -> None:
    """The numbers of a list, and of JSON that is shown as a text, have all digits."""
    expect(answered(page, form).locator(".value, pre")).to_have_text(text)


def test_shortened_cell(page: Page) -> None:
    """A cell that is too long for its table has its whole text at hand."""
    cell = answered(page, "long").get_by_role("cell").locator("span")
    expect(cell).to_have_text(re.compile(r"^\[9007199254740993,.*…$"))
    expect(cell).to_have_attribute("title", f"[{','.join([str(BIG)] * 20)}]")


def test_probabilities(page: Page) -> None:
    """A probability is a percentage, and its full value is one move of the pointer or of a reader away."""
    bars = answered(page, "labels").get_by_role("listitem")
    for index, (percent, full) in enumerate(
        [("12.3 %", "0.1234567890123"), ("100.0 %", "1.0"), ("< 0.01 %", "1e-7")]
    ):
        score = bars.nth(index).locator(".score")
        expect(score).to_contain_text(re.compile(rf"{percent}\s+\({re.escape(full)}\)"))
        expect(score.get_by_text(percent)).to_have_attribute("title", full)


def test_scores(page: Page) -> None:
    """A score that is no probability is shown as it was sent, and so is a label that is a number."""
    bars = answered(page, "scores").get_by_role("listitem")
    expect(bars.locator(".score")).to_have_text(["1234567890123456789", "-1.5"])
    expect(bars.locator(".label")).to_have_text(["9007199254740993", "1.0"])


def test_curve(open_page: Open) -> None:
    """The marks of an axis are short but differ; the values of a curve are in its name, pointer and list."""
    page = open_page()
    page.add_init_script(KEEP_DRAWN_TEXTS)
    page.goto(page.url.split("#")[0] + "#/exact_numbers")
    page.reload()
    shown = answered(page, "curve")
    expect(shown.get_by_role("img")).to_have_accessible_name(
        re.compile(r"3 points, from 1234567\.1 to 1234567\.2$")
    )
    shown.get_by_text("3 numbers").click()
    expect(shown.locator("line-chart + details")).to_contain_text("1234567.1, 1234567.123456, 1234567.2")
    shown.locator(".u-over").hover()
    expect(shown.locator(".u-over")).to_have_attribute(
        "title", re.compile(r"^position 2\n.*1234567\.123456$")
    )
    marks = [text for text in page.evaluate("drawnTexts") if text.startswith("1234567.")]
    assert "1234567.123456" not in marks
    assert len(set(marks)) > 1


def test_streamed(open_page: Open) -> None:
    """The items of a stream have all digits, in the table and in the text that can be saved."""
    page = open_page("#/number_stream")
    shown = predicted(page)
    expect(shown.get_by_role("cell")).to_have_text(
        ["9007199254740993", "1.0", "1234567890123456789", "1e+16"]
    )
    with page.expect_download() as download:
        shown.get_by_role("button", name="Download").click()
    assert Path(download.value.path()).read_text() == (
        '{"id":9007199254740993,"share":1.0}\n{"id":1234567890123456789,"share":1e+16}\n'
    )


def train(page: Page, **arguments: str) -> Locator:
    """Train to the end and return what is shown of the training."""
    for name, text in arguments.items():
        page.locator("train-page").get_by_label(name, exact=True).fill(text)
    page.get_by_role("button", name="Train", exact=True).click()
    opened = page.locator("training-card:has(training-view)")
    expect(opened.locator(".what")).to_contain_text(arguments.get("seed", ""))
    expect(opened.locator(".state")).to_have_text("done")
    return opened


def test_training(page: Page) -> None:
    """Metrics, result, arguments and provenance of a training are shown as they were sent."""
    to_tab(page, "Train")
    training = train(page, seed="1234567890123456780")
    expect(training.locator(".what")).to_contain_text(re.compile("^seed 1234567890123456780 · took"))
    expect(training.locator(".what").get_by_text("took")).to_have_attribute("title", re.compile(r"\d:\d\d"))
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
        expect(fact(shown, name)).to_have_text(text)
    training.get_by_text("Arguments", exact=True).click()
    expect(fact(training.locator(".arguments"), "seed")).to_have_text("1234567890123456780")
    training.get_by_role("button", name="How it came to be").click()
    expect(training.get_by_role("region", name="How it came to be")).to_contain_text("1234567890123456780")
    training.locator("a.title").click()
    latest = page.locator("training-card .latest").first
    expect(latest).to_contain_text(
        re.compile(rf"loss {SHARE / 3!r}.*one 1\.0.*seen 9007199254740996", re.DOTALL)
    )


def test_compared(page: Page) -> None:
    """Trainings are told apart by all digits, and not by the way in which a number is written."""
    to_tab(page, "Train")
    for seed in ("1234567890123456781", "1234567890123456782"):
        train(page, seed=seed).get_by_label("Compare").check()
    loss = page.get_by_role("region", name="Compared").locator("figure").filter(has_text="loss")
    curves = loss.get_by_role("listitem")
    expect(curves).to_have_count(2)
    for seed in ("1234567890123456781", "1234567890123456782"):
        expect(curves.filter(has_text=f"seed {seed} (")).to_contain_text(repr(SHARE / 3))


def test_defaults_of_a_training(page: Page) -> None:
    """A training whose record writes a default in another way, 1 for 1.0, differs in nothing."""
    to_tab(page, "Train")
    expect(train(page, options='{"scale": 1}').locator(".what")).to_contain_text("with the defaults")
