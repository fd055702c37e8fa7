"""Flags of a model's arguments: values, and errors for invalid ones."""

import datetime as dt
import logging
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import marshmallow
import pytest
from webargs import fields

from deepaas.cmd.cli import main
from deepaas.cmd.cli.flag_values import to_argument_sources
from deepaas.cmd.cli.flags import build_flags, collect_flag_values
from deepaas.model.arguments import Arguments
from deepaas.scratch import ScratchFolder, ScratchRoot
from support.cli import TOLD, Ended, refused, returned, run, saved

Here = Callable[..., Ended]
FILE = {"type": "file", "location": "form"}


class Inner(marshmallow.Schema):
    deep = fields.Int(required=True)


@pytest.fixture
def scratch() -> Iterator[ScratchFolder]:
    """Return a folder for copies of files."""
    with ScratchRoot() as space:
        yield space.create_folder()


def read(field: Any, *line: str, scratch: ScratchFolder, name: str = "name") -> Any:
    """Return the field's value for a command line."""
    arguments = Arguments({name: field})
    flags = build_flags(arguments)
    with click.Command("predict", params=list(flags)).make_context("predict", list(line)) as ctx:
        made = to_argument_sources(collect_flag_values(flags, ctx), scratch)
    return arguments.validate(arguments.collect(made)).get(name, "absent")


VALUES = [
    (fields.Str(), ["x"], "x"),
    (fields.Str(), ["[1, 2]"], "[1, 2]"),
    (fields.Str(load_default="d"), [], "d"),
    (fields.Str(), [], "absent"),
    (fields.Int(), ["-3"], -3),
    (fields.Float(), ["1e-3"], 0.001),
    (fields.Bool(), ["True"], True),
    (fields.Bool(), ["no"], False),
    (fields.List(fields.Int()), ["[1, 2]"], [1, 2]),
    (fields.List(fields.Int()), ["(1, 2)"], [1, 2]),
    (fields.List(fields.Int()), ["1", "2"], [1, 2]),
    (fields.List(fields.Int()), ["3"], [3]),
    (fields.List(fields.Str()), ["['a', 'b,c']"], ["a", "b,c"]),
    (fields.List(fields.Str()), ["a,b"], ["a,b"]),
    (fields.List(fields.Str()), ["[a", "(b"], ["[a", "(b"]),
    (fields.List(fields.Dict()), ["{'a': 1}", '{"b": null}'], [{"a": 1}, {"b": None}]),
    (fields.List(fields.List(fields.Int())), ["[[1], [2, 3]]"], [[1], [2, 3]]),
    (fields.Tuple((fields.Int(), fields.Str())), ["(1, 'a')"], (1, "a")),
    (fields.Dict(), ["{'a': (1, True)}"], {"a": (1, True)}),
    (fields.Dict(), ['{"a": true}'], {"a": True}),
    (fields.Nested(Inner), ["{'deep': 3}"], {"deep": 3}),
    (fields.DelimitedList(fields.Int()), ["1,2"], [1, 2]),
    (fields.Date(), ["2026-01-02"], dt.date(2026, 1, 2)),
    (fields.UUID(), ["0" * 32], uuid.UUID(int=0)),
    (fields.Str(metadata={"location": "headers"}), ["x"], "x"),
]


@pytest.mark.parametrize(("field", "texts", "value"), VALUES)
def test_value(scratch: ScratchFolder, field: Any, texts: list[str], value: object) -> None:
    """Values are converted as in requests; structures are literals."""
    line = [part for text in texts for part in ("--name", text)]
    assert read(field, *line, scratch=scratch) == value


@pytest.mark.parametrize(
    "name", ["demo-image", "bbox(N,W,S,E)", "a/b", "two words", "größe", "class", "help", "x", "a.b"]
)
def test_name(scratch: ScratchFolder, name: str) -> None:
    """A flag is spelled exactly like its argument, with any characters."""
    assert read(fields.Int(), f"--{name}", "3", scratch=scratch, name=name) == 3
    assert read(fields.Int(), f"--{name}=3", scratch=scratch, name=name) == 3


@pytest.mark.parametrize("spelling", ["--public", "--name"])
def test_data_key(scratch: ScratchFolder, spelling: str) -> None:
    """The flag accepts the argument's name and its data_key."""
    assert read(fields.Int(data_key="public"), spelling, "3", scratch=scratch) == 3


@pytest.mark.parametrize(
    "line",
    [["--name", "a.tar.gz"], ["--name", "a.tar.gz", "--name", "b.png"], ["--name", "['a.tar.gz', 'b.png']"]],
)
def test_files(
    scratch: ScratchFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: list[str]
) -> None:
    """A file is copied, so that the model may change it; the copy keeps the suffix."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.tar.gz", "b.png"):
        Path(name).write_text(name)
    found = read(fields.List(fields.Raw(metadata=FILE)), *line, scratch=scratch)
    assert [one.original_filename for one in found] == ["a.tar.gz", "b.png"][: len(found)]
    assert len(found) == (1 if len(line) == 2 and "[" not in line[1] else 2)
    assert found[0].content_type == "application/x-tar"
    for one in found:
        assert Path(one.filename).read_text() == one.original_filename
        assert one.filename.endswith("".join(Path(one.original_filename).suffixes))
        Path(one.filename).unlink()
    assert Path("a.tar.gz").exists()


def test_help(tmp_path: Path) -> None:
    """The help has type, description, default, bounds and choices of each argument."""
    shown = " ".join(run(tmp_path, "predict", "--help").stdout.split())
    assert "--data PATH" in shown
    assert "--times INTEGER [at least 1; at most 9; default: 1]" in shown
    assert "--workers TEXT An argument that is called like an option." in shown
    assert "[one of application/json, image/png; default: application/json]" in shown
    required = run(tmp_path, "predict", "--help", models={"one": "models.validators"}).stdout
    assert "--needed TEXT" in required
    assert "[required]" in required


WRONG = [
    (["--times", "10"], "--times: Must be greater than or equal to 1 and less than or equal to 9."),
    (["--times", "x"], "--times: Not a valid integer."),
    (["--times"], "'--times' requires an argument."),
    (["--accept", "text/html"], "--accept: Must be one of: application/json, image/png."),
    (["--data", "nowhere.txt"], "--data: nowhere.txt: No such file or directory."),
    (["--time", "1"], "--time"),
    (
        ["--data", "@list.txt"],
        "--data: for many files, set the folder for the results with --output-dir.",
    ),
    (
        ["--data", "*.txt", "--other", "*.txt", "--output-dir", "out"],
        "only one argument can have many files",
    ),
    (["--output-dir", "out"], "--output-dir: set one file argument"),
    (["--data", "*.none", "--output-dir", "out"], "'--data': *.none: there is no file in it."),
    (["--data", "@no-list", "--output-dir", "out"], "'--data': @no-list: the list no-list cannot be read"),
    (["--data", "x.txt", "--output-dir", "out", "--shard", "5/4"], "'--shard': expected a part from 1 to 4."),
    (["--data", "x.txt", "--output-dir", "out", "--times", "10"], "--times: Must be"),
    (
        ["--data", "x.txt", "x.txt", "--output-dir", "out"],
        "extra arguments (x.txt). If the shell expanded a pattern, quote it, as in '*.png'.",
    ),
    (["--data", "x.txt", "no-file"], "Got unexpected extra argument (no-file)"),
    (
        ["--data", ".", "--output-dir", "."],
        "'--data': .: all its files are in the folder of the results; choose another with --output-dir.",
    ),
    (
        ["--data", "x.txt", "--output-dir", "/proc/x"],
        "The output folder /proc/x cannot be written (No such file or directory): name another with",
    ),
    (
        ["--state-dir", "x"],
        "No such option: --state-dir. Put it before the method: deepaas-cli --state-dir … predict.",
    ),
    (["--times", "3", "--deepaas_method_output=o.json"], "deepaas-cli --deepaas_method_output … predict."),
    (["--debug"], "No such option: --debug. Put it before the method: deepaas-cli --debug predict."),
]


LISTS = """
from marshmallow import fields

def get_predict_args():
    return {"x": fields.List(fields.Float())}

get_train_args = get_predict_args

def predict(x): pass
def train(x): pass
"""


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Here]:
    """Return a function that runs a command line in this process, which suffices for errors."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.chdir(tmp_path)

    def here(*line: str) -> Ended:
        with pytest.raises(SystemExit) as left:
            main(line, prog_name="deepaas-cli")
        return Ended(line, int(str(left.value.code)), *capsys.readouterr())

    yield here
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize(("line", "message"), WRONG)
def test_wrong(here: Here, line: list[str], message: str) -> None:
    """The error is one line with the flag, exit code 2, before any other effect."""
    Path("x.txt").write_text("x")
    assert message in refused(here("--model", "models.batch.scripted", "predict", *line))
    assert [path.name for path in Path.cwd().iterdir()] == ["x.txt"]


@pytest.mark.parametrize(("word", "meant"), [("predcit", " Did you mean predict?"), ("serve", "")])
def test_unknown_method(here: Here, word: str, meant: str) -> None:
    """The error is one line that lists the methods."""
    shown = refused(here("--model", "models.batch.scripted", word))
    assert f"No such method: {word}.{meant} Available: get_metadata, warm, predict, train" in shown


@pytest.mark.parametrize("method", ["predict", "train"])
def test_commas(here: Here, method: str) -> None:
    """The error for a comma-separated list has the right syntax."""
    Path("lists.py").write_text(LISTS)
    shown = refused(
        here("--model", "./lists.py", "--state-dir", "state", "--log-level", "ERROR", method, "--x", "3,4")
    )
    assert "--x: it is '3,4', expected --x 3 --x 4, or --x '[3, 4]'." in shown


def test_missing(here: Here) -> None:
    assert "'--needed'" in refused(here("--model", "models.validators", "predict"))


def test_wrong_in_a_process(tmp_path: Path) -> None:
    """The process writes nothing but the error."""
    assert "--times: Not a valid integer." in refused(run(tmp_path, "predict", "--times", "x"))


def test_default_media_type(tmp_path: Path) -> None:
    """Without --accept, the model receives its default media type."""
    ended = run(tmp_path, "predict", models={"one": "models.negotiated"})
    assert saved(ended) == "one-predict.png"
    assert (tmp_path / "one-predict.png").read_bytes() == b"it was image/png"


def test_file_that_the_model_deletes(tmp_path: Path) -> None:
    """The model receives a copy, so the original file stays."""
    (tmp_path / "data.txt").write_text("content")
    assert returned(run(tmp_path, "predict", "--data", "data.txt", models=TOLD)) == {"text": "content"}
    assert (tmp_path / "data.txt").exists()
    assert list((tmp_path / "scratch").iterdir()) == []
