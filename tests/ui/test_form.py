"""The Predict form: defaults, values that the model receives, and validation messages."""

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from ui.pages import OpenPage, predict, predict_and_wait

pytestmark = pytest.mark.slow
Upload = Callable[[str, bytes], Path]
MODEL = "#/every_argument"
DROP = """(element, [type, files]) => {
  const transfer = new DataTransfer();
  for (const [name, type, content] of files)
    transfer.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name, { type }));
  const event = type === "paste"
    ? new ClipboardEvent(type, { clipboardData: transfer, bubbles: true, cancelable: true })
    : new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true });
  element.dispatchEvent(event);
}"""


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """Return the page of the model with an argument of every kind."""
    page = open_page(MODEL)
    page.get_by_label("text required").fill("hello")
    return page


def field(page: Page, name: str) -> Locator:
    """Return the input of an argument."""
    return page.get_by_label(name, exact=True)


def picture_field(page: Page) -> Locator:
    """Return the input of the single-file argument."""
    return page.locator("input[type=file]").nth(0)


def files_field(page: Page) -> Locator:
    """Return the input of the multiple-file argument."""
    return page.locator("input[type=file]").nth(1)


def predict_json(page: Page) -> dict[str, Any]:
    """Submit the form and return the prediction: the arguments that the model received."""
    text = predict_and_wait(page).locator("response-view").evaluate("(view) => view.response.text")
    return dict(json.loads(json.loads(text)["predictions"]))


def transfer_files(element: Locator, kind: str, *files: tuple[str, str, bytes]) -> None:
    """Drop files on an element, or paste them into it."""
    encoded = [(name, type_, base64.b64encode(content).decode()) for name, type_, content in files]
    element.evaluate(DROP, [kind, encoded])


def picture() -> bytes:
    """Return a small PNG."""
    file = io.BytesIO()
    Image.new("RGB", (20, 10), "teal").save(file, "PNG")
    return file.getvalue()


def test_defaults(page: Page) -> None:
    """Each field shows its default, and the model receives unchanged defaults."""
    expect(field(page, "preset")).to_have_value("as it was")
    expect(field(page, "whole")).to_have_value("3")
    expect(field(page, "on")).to_be_checked()
    expect(field(page, "colour")).to_have_value("red")
    expect(page.get_by_role("checkbox", name="b", exact=True)).to_be_checked()
    expect(field(page, "numbers")).to_have_value("1, 2")
    assert predict_json(page) == {
        "text": "hello",
        "preset": "as it was",
        "whole": 3,
        "share": 0.003,
        "on": True,
        "colour": "red",
        "several": ["b"],
        "numbers": [1, 2],
        "day": None,
    }


FILLED = {
    "preset": "",
    "whole": "7",
    "share": "0.05",
    "free": "1e3",
    "at_least": "6",
    "strict": "12",
    "day": "2026-11-24",
    "moment": "2026-11-24T13:14:15",
    "time": "14:30",
    "numbers": "4, 5\n6",
    "lines": "one, two\nthree",
    "delimited": "7 8",
    "structure": '{"a": [1]}',
    "box": '{"left": 2}',
    "anything": "[1, {}]",
    "password": "pass word",
    "key": "k3y",
    "page": "http://example.org/",
    "odd name (N,S)": "9",
    "X-Note": "in a header",
}


def test_every_kind(page: Page) -> None:
    """The model receives values of the right type: numbers, dates, lists, objects, choices."""
    for name, text in FILLED.items():
        field(page, name).fill(text)
    field(page, "on").uncheck()
    page.get_by_role("group", name="perhaps").get_by_label("No", exact=True).check()
    field(page, "colour").select_option("green")
    field(page, "number_of").select_option("20")
    page.get_by_role("checkbox", name="c", exact=True).check()
    assert predict_json(page) == {
        "text": "hello",
        "preset": "",
        "whole": 7,
        "share": 0.05,
        "free": 1000,
        "at_least": 6,
        "strict": 12,
        "on": False,
        "perhaps": False,
        "colour": "green",
        "number_of": 20,
        "several": ["b", "c"],
        "day": "2026-11-24",
        "moment": "2026-11-24T13:14:15",
        "time": "14:30:00",
        "numbers": [4, 5, 6],
        "lines": ["one, two", "three"],
        "delimited": [7, 8],
        "structure": {"a": [1]},
        "box": {"left": 2},
        "anything": [1, {}],
        "password": "pass word",
        "key": "k3y",
        "page": "http://example.org/",
        "odd name (N,S)": 9,
        "X-Note": "in a header",
    }
    assert field(page, "password").get_attribute("type") == "password"
    assert field(page, "key").get_attribute("type") == "password"


def test_every_kind_with_a_file(page: Page, upload: Upload) -> None:
    """With a file, the model receives the same values in a multipart body."""
    sent = FILLED | {"strict": ""}  # strict numbers require JSON; parts of a form are texts
    for name, text in sent.items():
        field(page, name).fill(text)
    picture_field(page).set_input_files(upload("a.bin", b"12345"))
    found = predict_json(page)
    assert found["picture"] == "a.bin: 5 bytes"
    assert found["numbers"] == [4, 5, 6]
    assert found["lines"] == ["one, two", "three"]
    assert found["delimited"] == [7, 8]
    assert found["box"] == {"left": 2}
    assert found["structure"] == {"a": [1]}
    assert found["on"] is True
    assert found["X-Note"] == "in a header"


def test_sliders(page: Page) -> None:
    """A range has a slider, linear or logarithmic; slider and number stay in sync."""
    slider = page.get_by_role("slider", name="whole, slider")
    slider.press("ArrowRight")
    expect(field(page, "whole")).to_have_value("4")
    slider.press("End")
    expect(field(page, "whole")).to_have_value("9")
    expect(slider).to_have_attribute("aria-valuetext", "9")
    field(page, "whole").fill("1")
    expect(slider).to_have_js_property("value", "0")
    page.get_by_role("slider", name="share, slider").press("Home")
    expect(field(page, "share")).to_have_value("0.00001")
    expect(page.get_by_role("slider", name="free, slider")).to_have_count(0)


def test_several_files(page: Page, upload: Upload) -> None:
    """Several files can be selected at once or one by one, and removed."""
    chosen = files_field(page)
    chosen.set_input_files([upload("one.txt", b"1"), upload("two.txt", b"22")])
    chosen.set_input_files(upload("three.txt", b"333"))
    page.get_by_role("button", name="Remove two.txt").click()
    assert predict_json(page)["files"] == ["one.txt: 1 bytes", "three.txt: 3 bytes"]


def test_drop_and_paste(page: Page) -> None:
    """Dropped files go to their field; pasted files go to the focused field or the first one."""
    transfer_files(
        page.locator(".drop").nth(1), "drop", ("a.txt", "text/plain", b"a"), ("b.txt", "text/plain", b"bb")
    )
    transfer_files(page.locator("body"), "paste", ("seen.png", "image/png", picture()))
    transfer_files(files_field(page), "paste", ("c.txt", "text/plain", b"ccc"))
    found = predict_json(page)
    assert found["picture"].startswith("seen.png: ")
    assert found["files"] == ["a.txt: 1 bytes", "b.txt: 2 bytes", "c.txt: 3 bytes"]


def test_previews(page: Page) -> None:
    """Images, audio, video and tables have a preview."""
    transfer_files(
        page.locator(".drop").nth(1),
        "drop",
        ("seen.png", "image/png", picture()),
        ("heard.wav", "audio/wav", b"RIFF"),
        ("film.mp4", "video/mp4", b"film"),
        ("table.csv", "", b'a,b\n"1, 2",<i>3</i>\n'),
    )
    shown = page.get_by_role("img", name="Preview of seen.png")
    expect(shown).to_have_js_property("naturalWidth", 20)
    expect(page.locator("audio")).to_be_visible()
    expect(page.locator("video")).to_be_visible()
    table = page.get_by_role("region", name="First rows of table.csv")
    expect(table.get_by_role("columnheader")).to_have_text(["a", "b"])
    expect(table.get_by_role("cell")).to_have_text(["1, 2", "<i>3</i>"])


def test_problems(page: Page) -> None:
    """The messages of a 422 appear at their fields, and the first invalid field gets the focus."""
    field(page, "text required").fill("")
    field(page, "whole").fill("99")
    field(page, "free").fill("many")
    field(page, "numbers").fill("1, x")
    field(page, "box").fill("{}")
    predict(page)
    for name, message in {
        "text required": "Missing data for required field.",
        "whole": "Must be greater than or equal to 1 and less than or equal to 9.",
        "free": "Not a valid number.",
        "numbers": "item 2: Not a valid integer.",
        "box": "left: Missing data for required field.",
    }.items():
        expect(field(page, name)).to_have_accessible_description(re.compile(re.escape(message)))
        expect(field(page, name)).to_have_attribute("aria-invalid", "true")
    expect(field(page, "text required")).to_be_focused()
    expect(field(page, "preset")).to_have_attribute("aria-invalid", "false")
    field(page, "text required").fill("now")
    for name, text in {"whole": "5", "free": "", "numbers": "1", "box": ""}.items():
        field(page, name).fill(text)
    assert predict_json(page)["text"] == "now"
    expect(page.locator("[aria-invalid=true]")).to_have_count(0)


def test_invalid_json(page: Page) -> None:
    """Invalid JSON is not sent, and its field shows a message."""
    field(page, "structure").fill("{a")
    predict(page)
    expect(page.locator(".json.invalid .problem")).to_contain_text("Invalid JSON")
    expect(field(page, "structure")).to_be_focused()


def test_reset(page: Page) -> None:
    """A button resets every field to its default."""
    field(page, "preset").fill("other")
    field(page, "on").uncheck()
    page.get_by_role("button", name="Reset to defaults").click()
    expect(field(page, "preset")).to_have_value("as it was")
    expect(field(page, "on")).to_be_checked()
