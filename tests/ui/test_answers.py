"""Answers in the form in which people would rather look than read, and what is done with them."""

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

from models_ui.answers import CSV, PDF
from running import RUN_S
from serving import Gate, environment
from ui.pages import Open, predict, predicted, to_tab

pytestmark = pytest.mark.slow
Upload = Callable[[str, bytes], Path]


def asked(open_page: Open, **choices: str) -> Locator:
    """Open the page of the model with many answers, ask for one of them, and return what is shown."""
    page = open_page("#/answers")
    for name, choice in choices.items():
        page.get_by_label("Answer as accept" if name == "accept" else name, exact=True).select_option(choice)
    return predicted(page)


def saved(page: Page, button: Locator) -> tuple[str, bytes]:
    """Return the name and the content of the file that a button saves."""
    with page.expect_download() as download:
        button.click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


@pytest.mark.parametrize(("accept", "width"), [("image/png", 30), ("image/svg+xml", 40)])
def test_pictures(open_page: Open, accept: str, width: int) -> None:
    """A picture is shown as one, also one made of markup."""
    shown = asked(open_page, accept=accept)
    expect(shown.locator("img")).to_have_js_property("naturalWidth", width)
    expect(shown.locator("svg")).to_have_count(0)


@pytest.mark.parametrize(("accept", "tag"), [("audio/wav", "audio"), ("video/mp4", "video")])
def test_sound_and_film(open_page: Open, accept: str, tag: str) -> None:
    """A sound and a film can be played in place."""
    expect(asked(open_page, accept=accept).locator(f"{tag}[controls][src^='blob:']")).to_be_visible()


def test_pdf(open_page: Open, complete_browser: Browser) -> None:
    """A PDF is shown in the browser's own viewer, and can be saved as it is."""
    shown = asked(functools.partial(open_page, browser=complete_browser), accept="application/pdf")
    expect(shown.locator("iframe[src^='blob:']")).to_be_visible()
    name, content = saved(shown.page, shown.get_by_role("button", name="Download"))
    assert (name, content) == ("answers.pdf", PDF)


def test_table(open_page: Open) -> None:
    """CSV is a table of texts, and the text as it came is one click away."""
    shown = asked(open_page, accept="text/csv")
    expect(shown.get_by_role("columnheader")).to_have_text(["name", "size"])
    expect(shown.get_by_role("cell")).to_have_text(["a, b", "1", "<i>c</i>", "2"])
    shown.get_by_role("button", name="Text").click()
    expect(shown.locator("pre")).to_have_text(CSV)


@pytest.mark.parametrize(
    ("accept", "text"),
    [("text/plain", "plain <b>text</b>"), ("text/html", "<h1>not a heading</h1>")],
)
def test_text(open_page: Open, accept: str, text: str) -> None:
    """Text is shown as text, whatever it is in."""
    expect(asked(open_page, accept=accept).locator("pre")).to_have_text(text)


def test_other_file(open_page: Open) -> None:
    """What no browser shows can be saved."""
    shown = asked(open_page, accept="application/zip")
    expect(shown).to_contain_text("cannot show")
    assert saved(shown.page, shown.get_by_role("button", name="Download"))[0] == "answers.zip"


def test_bars(open_page: Open) -> None:
    """Labels with probabilities are bars, and the rest stands below them."""
    shown = asked(open_page, form="labels")
    expect(shown.locator(".bars li")).to_have_text(
        [re.compile("cat.*75.0 %", re.DOTALL), re.compile("dog.*25.0 %", re.DOTALL)]
    )
    first, second = (shown.locator(".bars i").nth(index).bounding_box() for index in (0, 1))
    assert first
    assert second
    assert first["width"] == pytest.approx(3 * second["width"], rel=0.05)
    expect(shown.locator("dl")).to_contain_text("seen twice")


def test_objects(open_page: Open) -> None:
    """A list of objects is a table with a column for each name."""
    shown = asked(open_page, form="objects")
    expect(shown.get_by_role("columnheader")).to_have_text(["name", "size", "colour"])
    expect(shown.get_by_role("cell")).to_have_text(["a", "1", "", "b", "", "red"])


def test_matrix(open_page: Open) -> None:
    """A list of lists is a table."""
    expect(asked(open_page, form="matrix").get_by_role("cell")).to_have_text(["1", "2", "3", "4"])


def test_curve(open_page: Open) -> None:
    """A list of numbers is drawn, described in words, and can be read."""
    shown = asked(open_page, form="numbers")
    expect(shown.locator("line-chart canvas")).to_be_visible()
    expect(shown.get_by_role("img")).to_have_accessible_name(re.compile("3 points, from 0.5 to -2"))
    shown.get_by_text("3 numbers").click()
    expect(shown.locator("line-chart + details")).to_contain_text("0.5, 1.5, -2")


def test_nested(open_page: Open) -> None:
    """What is nested is shown with its names; what is empty is said to be."""
    shown = asked(open_page, form="nested")
    expect(shown.locator("dl dl dl")).to_contain_text("42")
    expect(shown.locator(".shown")).to_contain_text(re.compile("none.*An empty list.*yes.*true", re.DOTALL))


def test_media_in_json(open_page: Open) -> None:
    """Pictures and sounds in base64 are recognised by their bytes."""
    shown = asked(open_page, form="media")
    expect(shown.locator("img")).to_have_js_property("naturalWidth", 30)
    expect(shown.locator("audio")).to_be_visible()
    expect(asked(open_page, form="data_url").locator("img")).to_have_js_property("naturalWidth", 30)


def test_media_by_schema(open_page: Open) -> None:
    """What the schema says of a text decides where its bytes do not."""
    page = open_page("#/with_schema")
    predicted(page)
    expect(page.locator("answer-view img")).to_have_accessible_name(
        "The image with what was found, in base64."
    )
    expect(page.locator("answer-view video")).to_be_visible()


def test_raw(open_page: Open) -> None:
    """The JSON as it came is one click away, and can be saved."""
    shown = asked(open_page, form="words")
    expect(shown.locator(".value")).to_have_text("one, two")
    shown.get_by_role("button", name="JSON").click()
    expect(shown.locator("pre")).to_contain_text('"predictions": "[\\"one\\",\\"two\\"]"')
    name, content = saved(shown.page, shown.get_by_role("button", name="Download"))
    assert name == "answers.json"
    assert json.loads(content)["status"] == "OK"


def test_history(open_page: Open) -> None:
    """Each call of the session can be seen again, with what it was asked for."""
    shown = asked(open_page, form="words")
    form = shown.page.get_by_label("form", exact=True)
    form.select_option("labels")
    predicted(shown.page)
    expect(shown.locator(".bars")).to_be_visible()
    calls = shown.locator(".history button")
    expect(calls).to_have_count(2)
    calls.filter(has_text="form words").click()
    expect(shown.locator(".value")).to_have_text("one, two")
    expect(form).to_have_value("words")


def test_refusal(open_page: Open) -> None:
    """What the model fails with is said in its words."""
    shown = open_page("#/answers").locator(".answer")
    shown.page.get_by_label("form", exact=True).select_option("nan")
    predict(shown.page)
    expect(shown.get_by_role("alert")).to_contain_text("NaN")
    expect(shown.get_by_role("status")).to_contain_text("Not answered")


def test_streamed(open_page: Open, gate: Gate) -> None:
    """An answer that comes item by item is shown as it comes, and its lines can be saved."""
    page = open_page("#/streamed")
    page.get_by_label("port", exact=True).fill(str(gate.port))
    predict(page)
    gate.wait()
    shown = page.locator(".answer")
    expect(shown.get_by_role("cell")).to_have_text(["first", "5", "second", "6"])
    expect(shown.get_by_role("status")).to_contain_text("Waiting")
    gate.open()
    expect(shown.get_by_role("cell").nth(4)).to_have_text("last")
    expect(shown.get_by_role("status")).to_contain_text("Answered in")
    name, content = saved(page, shown.get_by_role("button", name="Download"))
    assert name == "streamed.jsonl"
    assert [json.loads(line)["letters"] for line in content.splitlines()] == [5, 6, 4]


def test_stream_that_fails(open_page: Open) -> None:
    """What had come of a stream that fails stays, and what was wrong is said."""
    page = open_page("#/streamed")
    page.get_by_label("fails", exact=True).check()
    predict(page)
    shown = page.locator(".answer")
    expect(shown.get_by_role("alert")).to_contain_text("ValueError: no more words")
    expect(shown.get_by_role("cell")).to_have_text(["first", "5", "second", "6"])


def test_only_predict(open_page: Open) -> None:
    """A model without arguments can be asked; one that cannot train says so."""
    page = open_page("#/only_predict")
    predicted(page)
    to_tab(page, "Train")
    expect(page.locator("train-page")).to_contain_text("The model 'only_predict' has no function 'train'.")


def snippet(page: Page, tool: str) -> str:
    """Return how a call is written for a tool, as it is copied."""
    page.locator("predict-page").get_by_role("button", name=f"as {tool}").click()
    page.locator("predict-page").get_by_role("button", name="Copy").click()
    expect(page.locator("predict-page").get_by_text("Copied.")).to_be_visible()
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_snippets_work(open_page: Open, upload: Upload, tmp_path: Path) -> None:
    """The call for curl, Python and deepaas-cli, copied and run, is the same call; secrets are not told."""
    page = open_page("#/every_argument")
    page.get_by_label("text required").fill('it\'s "quoted"')
    page.get_by_label("password", exact=True).fill("s3cret")
    page.get_by_label("box", exact=True).fill('{"left": 2}')
    page.locator("predict-page summary").first.click()
    for tool, command in (("curl", ["sh", "-c"]), ("Python", [sys.executable, "-c"])):
        found = ran(snippet(page, tool), command, tmp_path)
        assert found["text"] == 'it\'s "quoted"'
        assert found["box"] == {"left": 2}
        assert found["password"] == "********"
    page.locator("input[type=file]").nth(0).set_input_files(upload("a b.bin", b"12345"))
    for tool, command in (("curl", ["sh", "-c"]), ("Python", [sys.executable, "-c"])):
        found = ran(snippet(page, tool), command, tmp_path)
        assert found["picture"] == "a b.bin: 5 bytes"
        assert found["several"] == ["b"]
    found = ran_here(snippet(page, "deepaas-cli"), tmp_path)
    assert found["picture"] == "a b.bin: 5 bytes"
    assert found["text"] == 'it\'s "quoted"'
    assert found["box"] == {"left": 2}
    assert found["several"] == ["b"]
    assert found["password"] == "********"


def ran_here(script: str, folder: Path) -> dict[str, Any]:
    """Run what was copied for deepaas-cli, where the model is installed, and return what the model got."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = environment(folder, {"every_argument": "models_ui.every_argument"}, {"PATH": path})
    command = ["sh", "-c", script]
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(ast.literal_eval(done.stdout.partition("return: ")[2]))


def ran(script: str, command: list[str], folder: Path) -> dict[str, Any]:
    """Run what was copied and return what the model got."""
    done = subprocess.run(
        [*command, script], cwd=folder, capture_output=True, text=True, timeout=RUN_S, check=True
    )
    text = done.stdout.strip()
    said = json.loads(text) if text.startswith('{"') else eval(text)
    return dict(json.loads(said["predictions"]))
