"""Display, download and history of responses, and the code for other tools."""

import ast
import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from models.ui.responses import CSV, PDF
from support.cli import RUN_S
from support.server import Gate, environment
from ui.pages import OpenPage, open_tab, predict, predict_and_wait

pytestmark = pytest.mark.slow
Upload = Callable[[str, bytes], Path]


def predict_choice(open_page: OpenPage, **choices: str) -> Locator:
    """Open the model `responses`, predict with these choices, and return the response."""
    page = open_page("#/responses")
    for name, choice in choices.items():
        page.get_by_label("Response type accept" if name == "accept" else name, exact=True).select_option(
            choice
        )
    return predict_and_wait(page)


def download(page: Page, button: Locator) -> tuple[str, bytes]:
    """Click the button and return the name and content of the file."""
    with page.expect_download() as event:
        button.click()
    return event.value.suggested_filename, Path(event.value.path()).read_bytes()


@pytest.mark.parametrize(("accept", "width"), [("image/png", 30), ("image/svg+xml", 40)])
def test_images(open_page: OpenPage, accept: str, width: int) -> None:
    """Images, including SVG, are shown as images."""
    shown = predict_choice(open_page, accept=accept)
    expect(shown.locator("img")).to_have_js_property("naturalWidth", width)
    expect(shown.locator("svg")).to_have_count(0)


@pytest.mark.parametrize(("accept", "tag"), [("audio/wav", "audio"), ("video/mp4", "video")])
def test_audio_and_video(open_page: OpenPage, accept: str, tag: str) -> None:
    """Audio and video have players."""
    expect(predict_choice(open_page, accept=accept).locator(f"{tag}[controls][src^='blob:']")).to_be_visible()


def test_pdf(open_page: OpenPage, complete_browser: Browser) -> None:
    """A PDF is shown in the browser's viewer and can be downloaded unchanged."""
    shown = predict_choice(functools.partial(open_page, browser=complete_browser), accept="application/pdf")
    expect(shown.locator("iframe[src^='blob:']")).to_be_visible()
    name, content = download(shown.page, shown.get_by_role("button", name="Download"))
    assert (name, content) == ("responses.pdf", PDF)


def test_table(open_page: OpenPage) -> None:
    """CSV is shown as a table; a button shows the raw text."""
    shown = predict_choice(open_page, accept="text/csv")
    expect(shown.get_by_role("columnheader")).to_have_text(["name", "size"])
    expect(shown.get_by_role("cell")).to_have_text(["a, b", "1", "<i>c</i>", "2"])
    shown.get_by_role("button", name="Text").click()
    expect(shown.locator("pre")).to_have_text(CSV)


@pytest.mark.parametrize(
    ("accept", "text"),
    [("text/plain", "plain <b>text</b>"), ("text/html", "<h1>not a heading</h1>")],
)
def test_text(open_page: OpenPage, accept: str, text: str) -> None:
    """Text of any type is shown as text."""
    expect(predict_choice(open_page, accept=accept).locator("pre")).to_have_text(text)


def test_other_file(open_page: OpenPage) -> None:
    """Files that browsers cannot display can be downloaded."""
    shown = predict_choice(open_page, accept="application/zip")
    expect(shown).to_contain_text("cannot display")
    assert download(shown.page, shown.get_by_role("button", name="Download"))[0] == "responses.zip"


def test_bars(open_page: OpenPage) -> None:
    """Labels with probabilities are shown as bars, with other values below."""
    shown = predict_choice(open_page, form="labels")
    expect(shown.locator(".bars li")).to_have_text(
        [re.compile("cat.*75.0 %", re.DOTALL), re.compile("dog.*25.0 %", re.DOTALL)]
    )
    first, second = (shown.locator(".bars i").nth(index).bounding_box() for index in (0, 1))
    assert first
    assert second
    assert first["width"] == pytest.approx(3 * second["width"], rel=0.05)
    expect(shown.locator("dl")).to_contain_text("seen twice")


def test_objects(open_page: OpenPage) -> None:
    """A list of objects is shown as a table with a column for each key."""
    shown = predict_choice(open_page, form="objects")
    expect(shown.get_by_role("columnheader")).to_have_text(["name", "size", "colour"])
    expect(shown.get_by_role("cell")).to_have_text(["a", "1", "", "b", "", "red"])


def test_matrix(open_page: OpenPage) -> None:
    """A list of lists is shown as a table."""
    expect(predict_choice(open_page, form="matrix").get_by_role("cell")).to_have_text(["1", "2", "3", "4"])


def test_curve(open_page: OpenPage) -> None:
    """A list of numbers is shown as a chart with a description, and as text."""
    shown = predict_choice(open_page, form="numbers")
    expect(shown.locator("line-chart canvas")).to_be_visible()
    expect(shown.get_by_role("img")).to_have_accessible_name(re.compile("3 points, from 0.5 to -2"))
    shown.get_by_text("3 numbers").click()
    expect(shown.locator("line-chart + details")).to_contain_text("0.5, 1.5, -2")


def test_nested(open_page: OpenPage) -> None:
    """Nested values are shown with their keys; empty lists are labelled."""
    shown = predict_choice(open_page, form="nested")
    expect(shown.locator("dl dl dl")).to_contain_text("42")
    expect(shown.locator(".shown")).to_contain_text(re.compile("none.*Empty list.*yes.*true", re.DOTALL))


def test_media_in_json(open_page: OpenPage) -> None:
    """Images and audio in base64 are detected by their content."""
    shown = predict_choice(open_page, form="media")
    expect(shown.locator("img")).to_have_js_property("naturalWidth", 30)
    expect(shown.locator("audio")).to_be_visible()
    expect(predict_choice(open_page, form="data_url").locator("img")).to_have_js_property("naturalWidth", 30)


def test_media_by_schema(open_page: OpenPage) -> None:
    """The schema's description determines the media type if the content does not."""
    page = open_page("#/with_schema")
    predict_and_wait(page)
    expect(page.locator("response-view img")).to_have_accessible_name(
        "The image with what was found, in base64."
    )
    expect(page.locator("response-view video")).to_be_visible()


def test_raw(open_page: OpenPage) -> None:
    """A button shows the raw JSON, which can be downloaded."""
    shown = predict_choice(open_page, form="words")
    expect(shown.locator(".value")).to_have_text("one, two")
    shown.get_by_role("button", name="JSON").click()
    expect(shown.locator("pre")).to_contain_text('"predictions": "[\\"one\\",\\"two\\"]"')
    name, content = download(shown.page, shown.get_by_role("button", name="Download"))
    assert name == "responses.json"
    assert json.loads(content)["status"] == "OK"


def test_history(open_page: OpenPage) -> None:
    """The history restores the response and the arguments of each call."""
    shown = predict_choice(open_page, form="words")
    form = shown.page.get_by_label("form", exact=True)
    form.select_option("labels")
    predict_and_wait(shown.page)
    expect(shown.locator(".bars")).to_be_visible()
    calls = shown.locator(".history button")
    expect(calls).to_have_count(2)
    calls.filter(has_text="form words").click()
    expect(shown.locator(".value")).to_have_text("one, two")
    expect(form).to_have_value("words")


def test_error(open_page: OpenPage) -> None:
    """The model's error message is shown."""
    shown = open_page("#/responses").locator(".response")
    shown.page.get_by_label("form", exact=True).select_option("nan")
    predict(shown.page)
    expect(shown.get_by_role("alert")).to_contain_text("NaN")
    expect(shown.get_by_role("status")).to_contain_text("Failed after")


def test_stream(open_page: OpenPage, gate: Gate) -> None:
    """A streamed response is shown item by item and can be downloaded as JSON lines."""
    page = open_page("#/streamed")
    page.get_by_label("port", exact=True).fill(str(gate.port))
    predict(page)
    gate.wait()
    shown = page.locator(".response")
    expect(shown.get_by_role("cell")).to_have_text(["first", "5", "second", "6"])
    expect(shown.get_by_role("status")).to_contain_text("Waiting")
    gate.open()
    expect(shown.get_by_role("cell").nth(4)).to_have_text("last")
    expect(shown.get_by_role("status")).to_contain_text("Response in")
    name, content = download(page, shown.get_by_role("button", name="Download"))
    assert name == "streamed.jsonl"
    assert [json.loads(line)["letters"] for line in content.splitlines()] == [5, 6, 4]


def test_failing_stream(open_page: OpenPage) -> None:
    """When a stream fails, its items remain and the error is shown."""
    page = open_page("#/streamed")
    page.get_by_label("fails", exact=True).check()
    predict(page)
    shown = page.locator(".response")
    expect(shown.get_by_role("alert")).to_contain_text("ValueError: no more words")
    expect(shown.get_by_role("cell")).to_have_text(["first", "5", "second", "6"])


def test_only_predict(open_page: OpenPage) -> None:
    """A model without arguments can predict; the Train tab says that it cannot train."""
    page = open_page("#/only_predict")
    predict_and_wait(page)
    open_tab(page, "Train")
    expect(page.locator("train-page")).to_contain_text("The model 'only_predict' has no function 'train'.")


def copy_snippet(page: Page, tool: str) -> str:
    """Copy the code for a tool and return it."""
    page.locator("predict-page").get_by_role("button", name=tool, exact=True).click()
    page.locator("predict-page").get_by_role("button", name="Copy").click()
    expect(page.locator("predict-page").get_by_text("Copied.")).to_be_visible()
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_snippets_work(open_page: OpenPage, upload: Upload, tmp_path: Path) -> None:
    """The code for curl, Python and deepaas-cli sends the same arguments, with masked passwords."""
    page = open_page("#/every_argument")
    page.get_by_label("text required").fill('it\'s "quoted"')
    page.get_by_label("password", exact=True).fill("s3cret")
    page.get_by_label("box", exact=True).fill('{"left": 2}')
    page.locator("predict-page summary").first.click()
    for tool, command in (("curl", ["sh", "-c"]), ("Python", [sys.executable, "-c"])):
        found = run_snippet(copy_snippet(page, tool), command, tmp_path)
        assert found["text"] == 'it\'s "quoted"'
        assert found["box"] == {"left": 2}
        assert found["password"] == "********"
    page.locator("input[type=file]").nth(0).set_input_files(upload("a b.bin", b"12345"))
    for tool, command in (("curl", ["sh", "-c"]), ("Python", [sys.executable, "-c"])):
        found = run_snippet(copy_snippet(page, tool), command, tmp_path)
        assert found["picture"] == "a b.bin: 5 bytes"
        assert found["several"] == ["b"]
    found = run_cli(copy_snippet(page, "deepaas-cli"), tmp_path)
    assert found["picture"] == "a b.bin: 5 bytes"
    assert found["text"] == 'it\'s "quoted"'
    assert found["box"] == {"left": 2}
    assert found["several"] == ["b"]
    assert found["password"] == "********"


def run_cli(script: str, folder: Path) -> dict[str, Any]:
    """Run code for deepaas-cli with the model installed, and return the arguments it received."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = environment(folder, {"every_argument": "models.ui.every_argument"}, {"PATH": path})
    command = ["sh", "-c", script]
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(ast.literal_eval(done.stdout.partition("return: ")[2]))


def run_snippet(script: str, command: list[str], folder: Path) -> dict[str, Any]:
    """Run copied code and return the arguments that the model received."""
    done = subprocess.run(
        [*command, script], cwd=folder, capture_output=True, text=True, timeout=RUN_S, check=True
    )
    text = done.stdout.strip()
    response = json.loads(text) if text.startswith('{"') else eval(text)
    return dict(json.loads(response["predictions"]))
