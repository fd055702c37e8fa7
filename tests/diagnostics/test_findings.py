"""`deepaas-cli check`: its findings and their texts."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cli import Ended, run
from support.machine import timeout_s

FAULTY = Path(__file__).parents[1] / "models" / "diagnostics" / "faulty.py"
HEALTHY = """
from marshmallow import fields, validate

schema = {"area": fields.Float(required=True)}

def get_metadata():
    return dict.fromkeys(["name", "author", "license", "description", "version"], "x")

def warm():
    pass

def get_predict_args():
    about = {"metadata": {"description": "The side."}}
    return {"side": fields.Float(required=True, validate=validate.Range(min=3, max=5), **about)}

def predict(side):
    return {"area": side * side}
"""
Check = Callable[..., Ended]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Return a function that checks source code or a file: `check(source, *flags)`."""

    def check(source: str | Path, *flags: str) -> Ended:
        path = source if isinstance(source, Path) else tmp_path / "model.py"
        if isinstance(source, str):
            path.write_text(source)
        return run(tmp_path, "--model", str(path), "check", *flags, models={})

    return check


def has(done: Ended, level: str, step: str, text: str) -> bool:
    """Return whether the output has such a finding."""
    lines = (line.split(maxsplit=2) for line in done.stdout.splitlines())
    return any(line[:2] == [level, step] and text in line[2] for line in lines if len(line) > 2)


def test_healthy(check: Check, tmp_path: Path) -> None:
    """A correct model has no errors; sample arguments come from validation ranges."""
    done = check(HEALTHY, "--predict")
    assert done.returncode == 0, done.stdout
    assert "Found: 0 error, 0 warning, 1 note, 2 differs." in done.stdout
    assert has(done, "note", "discovery", "No installed package declares it")
    assert has(done, "ok", "import", "MiB")
    assert has(done, "ok", "arguments", "predict() takes 1: side.")
    assert has(done, "ok", "schema", "area")
    assert has(done, "ok", "specification", "OpenAPI 3.1")
    assert has(done, "ok", "predict", "13 bytes of application/json")
    assert has(done, "differs", "2.6", "deepaas-cli validates arguments")
    assert has(done, "differs", "2.6", "without get_train_args()")
    assert list((tmp_path / "scratch").iterdir()) == []


ECHOES = """
from marshmallow import fields, validate

def get_predict_args():
    accept = fields.Str(load_default="image/png", validate=validate.OneOf(["image/png", "text/plain"]))
    return {"path": fields.Str(load_default="/etc/passwd"), "accept": accept}

def predict(path, accept):
    return path
"""


def test_text_as_a_path(check: Check) -> None:
    """A returned str where a file is expected is an error; the advice names what to return."""
    done = check(ECHOES, "--predict")
    assert done.returncode == 1
    assert has(done, "error", "predict", "As image/png: it failed with 500: predict() returned a str")
    assert has(done, "ok", "predict", "11 bytes of text/plain")
    assert has(done, "differs", "2.6", "a returned str is treated as a file path only")
    assert "Return pathlib.Path(…)" in done.stdout


NESTED = """
from marshmallow import fields

def get_predict_args():
    return {"x": fields.Nested("Nowhere")}

def predict(x=1):
    pass
"""
FINDINGS = [
    ("note", "import", "starts threads"),
    ("error", "functions", "does not take 'unwanted'"),
    ("error", "functions", "needs 'undeclared'"),
    ("warning", "functions", "needs 'optional'"),
    ("warning", "functions", "there is no train()"),
    ("warning", "metadata", "the metadata['license'] cannot be expressed in JSON"),
    ("note", "metadata", "Missing: author, description, version"),
    ("warning", "arguments", "The default of 'number' of predict(), 11, is not allowed: Must be greater"),
    ("note", "arguments", "'files' of predict() has no description"),
    ("warning", "arguments", "'accept' of predict() has no choices"),
    ("note", "warm", "There is no warm()"),
    ("differs", "2.6", "A list of files receives all"),
    ("error", "predict", "failed with 500: TypeError: predict() missing"),
]


def test_faulty(check: Check) -> None:
    """All findings are reported in one run, each with advice."""
    done = check(FAULTY, "--predict", "--with", "optional=x", "--with", "nothing=1")
    assert done.returncode == 1
    missed = [one for one in FINDINGS if not has(done, *one)]
    assert not missed, done.stdout
    assert has(done, "warning", "predict", "no argument 'nothing'")
    assert done.stdout.count("->") >= len(FINDINGS) - 1
    assert "Traceback" in done.stdout
    for untouched in ("uploaded to train()", "without get_train_args()", "DELETE", "Without a schema"):
        assert untouched not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "step", "text"),
    [
        ("import no_such_module", "import", "No module named 'no_such_module'"),
        ("import os\nos.kill(os.getpid(), 11)", "import", "was killed by SIGSEGV"),
        ("print('so far')\nimport os\nos._exit(3)", "import", "exited with code 3"),
        ("def predict(): pass\ndef warm(): 1 / 0", "warm", "ZeroDivisionError"),
        ("def predict(): pass\ndef warm(): raise SystemExit(2)", "warm", "SystemExit"),
        ("schema = 5\ndef predict(): pass", "schema", "is of type int"),
        ("def get_metadata(): 1 / 0\ndef predict(): pass", "metadata", "ZeroDivisionError"),
        ("def get_predict_args(): return {'x': 5}\ndef predict(x): pass", "arguments", "'x' as 5"),
        (
            NESTED,
            "arguments",
            "'x' of predict() cannot be published: A Nested cannot be described: RegistryError",
        ),
        ("x = 5", "functions", "neither predict() nor train()"),
    ],
)
def test_broken(check: Check, source: str, step: str, text: str) -> None:
    """Any failure of a model is a finding of the step that caused it."""
    done = check(source)
    assert done.returncode == 1
    assert has(done, "error", step, text), done.stdout
    assert done.stderr == ""
    assert "so far" in done.stdout or "so far" not in source


@pytest.mark.parametrize(
    ("source", "step"),
    [
        ("def get_predict_args(): return {'x': 5}\ndef predict(x): pass", "arguments"),
        ("from marshmallow import fields\nschema = {'x': fields.Str}\ndef predict(): pass", "schema"),
        (NESTED, "arguments"),
    ],
)
def test_one_cause(check: Check, source: str, step: str) -> None:
    """One wrong field is one error, even if several steps encounter it; sentences end with one full stop."""
    done = check(source, "--predict")
    assert "Found: 1 error" in done.stdout, done.stdout
    assert has(done, "error", step, "")
    assert ".." not in done.stdout
    assert "?." not in done.stdout


CLASS = """
class Model:
    def __init__(self, path): pass
    def predict(self): return 1
"""


def test_class(check: Check, tmp_path: Path) -> None:
    """The check finds a class that --model does not name, and reports constructor arguments."""
    advice = "-> ./model.py has a class Model with predict(): use --model ./model.py:Model."
    assert advice in check(CLASS).stdout
    done = run(tmp_path, "--model", "./model.py:Model", "check", models={})
    assert (
        "-> The class is instantiated without arguments: give the parameters of __init__() defaults."
        in done.stdout
    )


ADVICE = [
    ("return float('nan')", "", "Change what predict() returns"),
    ("return object()", "", "Change what predict() returns"),
    ("return {'x': 'a'}", "schema = {'x': fields.Int()}", "Change what predict() returns"),
    ("raise ValueError", "", "If the arguments are invalid"),
    ("return int('x')", "", "If the arguments are invalid"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("body", "more", "advice"), ADVICE)
def test_advice(check: Check, body: str, more: str, advice: str) -> None:
    """Only exceptions that predict() itself raises may be caused by its arguments."""
    done = check(f"from marshmallow import fields\n{more}\ndef predict():\n    {body}", "--predict")
    given = [line for line in done.stdout.splitlines() if "-> " in line]
    assert advice in given[-1], done.stdout


def test_missing_parameter_is_not_an_error_of_predict(check: Check) -> None:
    done = check("def predict(x):\n    pass", "--predict")
    assert "-> It was called with the declared arguments" in done.stdout
    assert "HTTPBadRequest" not in done.stdout


def test_missing_library(check: Check) -> None:
    """The advice installs the library into the Python in use."""
    done = check("import no_such_module.part")
    assert f"{sys.executable} -m pip install no_such_module" in done.stdout


@pytest.mark.slow
def test_time_limit(check: Check) -> None:
    """A step that hangs is a finding, and its process is killed."""
    source = "import signal\ndef predict(): pass\ndef warm():\n    print('waiting')\n    signal.pause()"
    longest_s = timeout_s(5)
    done = check(source, "--time-limit", str(longest_s))
    assert done.returncode == 1
    assert has(done, "error", "warm", f"longer than {longest_s:g} s")
    assert "waiting" in done.stdout


def test_with(check: Check, tmp_path: Path) -> None:
    """Arguments can be given for the prediction; errors with sample arguments are only warnings."""
    source = FILES.format(names="'application/json', 'text/plain'")
    (tmp_path / "a.txt").write_text("right")
    done = check(source, "--predict")
    assert done.returncode == 0, done.stdout
    assert has(done, "warning", "predict", "As application/json: it failed with 400: wrong")
    done = check(source, "--with", "data=a.txt", "--with", "numbers=[1, 2]")
    assert done.returncode == 0
    assert has(done, "ok", "predict", "As application/json: ")
    assert has(done, "ok", "predict", "As text/plain: 1 bytes of text/plain")
    assert has(done, "differs", "2.6", "HTTPBadRequest")
    assert has(done, "differs", "2.6", "Accept header")
    done = check(source, "--with", "data=none.txt")
    assert has(done, "error", "predict", "No such file or directory: 'none.txt'")
    assert check(source, "--with", "data").returncode == 2


FILES = """
from aiohttp.web import HTTPBadRequest
from marshmallow import fields, validate

def get_predict_args():
    return {{
        "data": fields.Field(metadata={{"type": "file", "location": "form"}}),
        "numbers": fields.List(fields.Int(), load_default=[]),
        "accept": fields.Str(validate=validate.OneOf([{names}])),
    }}

def predict(accept, numbers, data=None):
    with open(data.filename) as file:
        if file.read() != "right" or numbers != [1, 2]:
            raise HTTPBadRequest(reason="wrong")
    return "x"
"""


def test_installed(tmp_path: Path) -> None:
    """The entry point is found; functions inherited from BaseModel do not count as implemented."""
    done = run(tmp_path, "check", models={"a_class": "models.abstract:Model"})
    assert done.returncode == 1
    assert has(done, "ok", "discovery", "'a_class' is models.abstract:Model.")
    assert has(done, "error", "functions", "neither predict() nor train()")
    assert "No installed package" not in done.stdout
