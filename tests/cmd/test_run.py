"""`deepaas-run`: selection of models, start, start-up errors, shutdown."""

import inspect
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.cli import RUN_S
from support.server import (
    CALL_S,
    GROUP,
    Server,
    distribution,
    environment,
    predict,
    predicted,
    run_until_exit,
)

GOOD = "models.as_module"
HOW_TO = ['[project.entry-points."deepaas.v2.model"]', "--model ./model.py"]


def test_none_installed(tmp_path: Path) -> None:
    """Without any model the server exits with 1 and explains how to declare one."""
    ended = run_until_exit(tmp_path, models={})
    assert ended.returncode == 1
    for words in HOW_TO:
        assert words in ended.stdout
    assert "Traceback" not in ended.stdout


def test_unknown_name(tmp_path: Path) -> None:
    """The error lists the installed models and explains how to declare one."""
    ended = run_until_exit(tmp_path, "--model-name", "other", models={"one": GOOD, "two": GOOD})
    assert ended.returncode == 1
    for words in ["other", "one", "two", *HOW_TO]:
        assert words in ended.stdout
    assert "Traceback" not in ended.stdout


BROKEN = [
    ("models.faulty.on_import", "RuntimeError: broken on purpose on import", "on_import.py"),
    ("models.faulty.leaves", "SystemExit: I leave", "leaves.py"),
    (
        "models.faulty.in_arguments",
        "AttributeError: 'NoneType' object has no attribute 'fields'",
        "in_arguments.py",
    ),
    ("models.nowhere", "No module named 'models.nowhere'", "Traceback"),
    ("models.as_class:Nobody", "Nobody", "Traceback"),
    ("models.faulty.in_warm", "OSError: weights are missing", "in_warm.py"),
]


@pytest.mark.slow
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(("target", "reason", "place"), BROKEN)
def test_broken_alone_or_named(tmp_path: Path, target: str, reason: str, place: str, *, named: bool) -> None:
    """The start fails with the model's traceback and exit code 1."""
    models = {"broken": target, "good": GOOD} if named else {"broken": target}
    ended = run_until_exit(tmp_path, *(["--model-name", "broken"] if named else []), models=models)
    assert ended.returncode == 1, ended.stdout
    assert reason in ended.stdout
    assert place in ended.stdout
    assert "Serving" not in ended.stdout


@pytest.mark.parametrize(
    ("target", "reason"),
    [("models.faulty.no_fields", "'size' as 5"), ("models.faulty.exit_in_warm", "exited with code 9")],
)
def test_refused(tmp_path: Path, target: str, reason: str) -> None:
    """Invalid fields, and a worker that exits during the start, are errors of one line."""
    ended = run_until_exit(tmp_path, models={"broken": target})
    assert ended.returncode == 1
    assert reason in ended.stdout
    assert "Serving" not in ended.stdout
    assert list((tmp_path / "scratch").iterdir()) == []


def test_broken_among_several(start: Callable[..., Server]) -> None:
    """A model that cannot be imported answers with the reason; its traceback is in the log."""
    server = start(models={"broken": "models.faulty.on_import", "good": GOOD, "other": "models.only_predict"})
    assert re.search(r"model 'broken' cannot be used(?s:.)*Traceback(?s:.)*on_import.py", server.log)
    with server.client() as client:
        names = [model["name"] for model in client.get("/v2/models/").json()["models"]]
        assert names == ["broken", "good", "other"]
        assert "cannot be used" in client.get("/v2/models/broken/").json()["description"]
        assert predict(client, "broken").status_code == 503
        assert predict(client, "good", params={"data": "x"}).status_code == 200


def test_one(start: Callable[..., Server]) -> None:
    server = start(models={"only": GOOD})
    assert "Serving only on http://" in server.log
    assert "WARNING" not in server.log
    assert "Warning" not in server.log


def test_several(start: Callable[..., Server]) -> None:
    """All models are served, with a DeprecationWarning and a log line with advice."""
    # Python hides DeprecationWarning unless it is enabled.
    server = start(models={"one": GOOD, "two": GOOD}, env={"PYTHONWARNINGS": "default::DeprecationWarning"})
    assert "Serving one, two on http://" in server.log
    assert re.search(r"WARNING .*deprecated.*--model-name", server.log)
    assert "DeprecationWarning" in server.log
    with server.client() as client:
        assert len(client.get("/v2/models/").json()["models"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("how", ["flag", "environment", "environment of 2.6", "file", "file of 2.6"])
def test_named(start: Callable[..., Server], tmp_path: Path, how: str) -> None:
    """Only the named model is served, whatever the source of the name."""
    models = {"one": GOOD, "two": "models.only_predict"}
    files = {
        "file": "[DEFAULT]\nmodel-name = two\n",
        "file of 2.6": "[DEFAULT]\nmodel_name = two\nsome_key = 5%\n",
    }
    (tmp_path / "deepaas.conf").write_text(files.get(how, ""))
    env = {"environment": "DEEPAAS_MODEL_NAME", "environment of 2.6": "DEEPAAS_V2_MODEL"}.get(how)
    flags = {"flag": ["--model-name", "two"]}.get(how, ["--config-file", str(tmp_path / "deepaas.conf")])
    server = start(*flags, models=models, env={env: "two"} if env else {})
    assert "Serving two on http://" in server.log
    assert "deprecated" not in server.log
    assert "ERROR" not in server.log


OWN = """
import helper
from marshmallow import fields


class Own(fields.Int):
    pass


class Model:
    def get_predict_args(self):
        return {"number": Own(load_default=helper.NUMBER)}

    def predict(self, number):
        return {"number": number, "values": Value(number)._asdict()}


import collections
Value = collections.namedtuple("Value", "value")
get_predict_args = Model().get_predict_args
predict = Model().predict
"""


@pytest.mark.parametrize(
    ("target", "name"), [("./model.py", "model"), ("./model.py:Model", "model"), ("folder/own.py", "own")]
)
def test_file(start: Callable[..., Server], tmp_path: Path, target: str, name: str) -> None:
    """A Python file is served with the modules beside it."""
    path = tmp_path / target.partition(":")[0]
    path.parent.mkdir(exist_ok=True)
    path.write_text(OWN)
    (path.parent / "helper.py").write_text("NUMBER = 7\n")
    server = start("--model", target, models={"other": GOOD})
    with server.client() as client:
        assert predicted(client, name) == {"number": 7, "values": {"value": 7}}
        assert predicted(client, name, params={"number": 3})["number"] == 3


@pytest.mark.parametrize(
    ("target", "name", "answer"),
    [("models.as_module", "as_module", "module x"), ("models.as_class:Model", "as_class", "class x")],
)
def test_module(start: Callable[..., Server], target: str, name: str, answer: str) -> None:
    """A module, or a class in it, is served without an entry point."""
    server = start("--model", target, models={})
    with server.client() as client:
        assert predict(client, name, params={"data": "x"}).json()["predictions"] == answer


@pytest.mark.parametrize("how", ["environment", "file", "same"])
def test_another_name(start: Callable[..., Server], tmp_path: Path, how: str) -> None:
    """A file's name from another source is logged, but not its default name."""
    (tmp_path / "spectra.py").write_text("def predict():\n    return 1\n")
    (tmp_path / "deepaas.conf").write_text("[DEFAULT]\nmodel-name = digits\n" if how == "file" else "")
    env = {"environment": {"DEEPAAS_V2_MODEL": "digits"}, "same": {"DEEPAAS_MODEL_NAME": "spectra"}}
    flags = ["--model", "./spectra.py", "--config-file", str(tmp_path / "deepaas.conf")]
    server = start(*flags, models={}, env=env.get(how, {}))
    told = re.search(r"INFO .*\./spectra\.py is served as 'digits' \(--model-name\)\n", server.log)
    assert bool(told) == (how != "same")
    assert ("is served as" in server.log) == (how != "same")


UNUSABLE = [
    (
        "def predict(x):\n    return x\n",
        ["predict() needs 'x'", "Declare it, or give the parameter a default"],
    ),
    (
        "import logging\nclass Spectra:\n    def predict(self):\n        return 1\n",
        [
            "neither predict() nor train()",
            "has a class Spectra with predict(): use --model ./mine.py:Spectra.",
        ],
    ),
    (
        "from argparse import Namespace as A\nA.predict = 1\nclass B: pass\n",
        ["neither predict() nor train(): there is nothing to call. Define"],
    ),
]


@pytest.mark.parametrize(("source", "said"), UNUSABLE)
def test_nothing_to_call(start: Callable[..., Server], tmp_path: Path, source: str, said: list[str]) -> None:
    """Functions that fail at every call are logged once at the start, with advice."""
    (tmp_path / "mine.py").write_text(source)
    server = start("--model", "./mine.py", models={})
    warnings = [line for line in server.log.splitlines() if "WARNING" in line]
    for words in said:
        assert sum(words in line for line in warnings) == 1, server.log
    assert ("has a class" in server.log) == ("class Spectra" in source)


def test_class_of_entry_point(start: Callable[..., Server], tmp_path: Path) -> None:
    """The advice for a class is written in the syntax of entry points."""
    package = tmp_path / "installed" / "spectral"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from .inner import One, Two\n")
    (package / "inner.py").write_text("class One:\n    predict = train = print\nclass Two(One): pass\n")
    server = start(models={"spectra": "spectral"})
    assert "spectral has a class One with predict(): name spectral:One instead." in server.log


@pytest.mark.parametrize("target", ["./nowhere.py", "models.nowhere", "models.as_class:Nobody"])
def test_target_that_is_missing(tmp_path: Path, target: str) -> None:
    """The start fails with exit code 1 and the target's name."""
    ended = run_until_exit(tmp_path, "--model", target, models={})
    assert ended.returncode == 1
    assert target.partition(":")[0].lstrip("./") in ended.stdout


def test_nowarm(start: Callable[..., Server]) -> None:
    server = start("--nowarm", models={"cold": "models.faulty.in_warm"})
    with server.client() as client:
        assert predicted(client, "cold") == 1


def test_port_in_use(tmp_path: Path) -> None:
    """The error is one line; the exit code is 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_until_exit(tmp_path, "--listen-port", str(port), models={"one": GOOD})
    assert ended.returncode == 2
    assert str(port) in ended.stdout
    assert "Traceback" not in ended.stdout
    assert "--listen-port" in ended.stdout


def test_version(tmp_path: Path) -> None:
    """The last line of --version is the version, 2.7.0 or later."""
    for command in (
        [sys.executable, "-m", "deepaas.cmd.run"],
        [str(Path(sys.executable).with_name("deepaas-run"))],
    ):
        ended = subprocess.run(
            [*command, "--version"],
            env=environment(tmp_path, {}, {}),
            text=True,
            capture_output=True,
            timeout=RUN_S,
            check=True,
        )
        assert re.fullmatch(r"2\.(7|8|9)\.\d+\S*", ended.stdout.splitlines()[-1])


def test_all_is_well(start: Callable[..., Server], tmp_path: Path) -> None:
    """Without problems, the word ERROR is not in the log, whatever clients do."""
    names = ["uploads", "returns_files", "trainable", "negotiated", "returns_json"]
    server = start("--debug-endpoint", models={name: f"models.{name}" for name in names})
    with server.client() as client:
        for _ in range(3):
            large = predict(client, "returns_files", params={"what": "large", "accept": "image/png"})
            assert len(large.content) > 1 << 20
            assert client.head("/v2/models/").status_code in (200, 405)
        assert predicted(client, "returns_json", params={"what": "large"})
        assert predicted(client, "uploads", files={"one": ("a.txt", b"x" * 2_000_000)})
        assert client.post("/v2/models/trainable/train/").status_code == 200
        for path in ("/", "/api", "/ui", "/nowhere", "/swagger.json", "/openapi.json", "/v2/debug/"):
            client.get(path)
        predict(client, "returns_json")
        predict(client, "negotiated", headers={"Accept": "audio/wav"})
        predict(client, "uploads", content=b"{", headers={"Content-Type": "application/json"})
    server.stop()
    assert "ERROR" not in server.log, server.log


def test_end_in_the_middle_of_a_call(start: Callable[..., Server]) -> None:
    """The server shuts down cleanly during a training."""
    server = start(models={"trainable": "models.trainable"})
    with socket.create_server(("127.0.0.1", 0)) as gate, server.client() as client:
        gate.settimeout(CALL_S)
        body = {"port": gate.getsockname()[1]}
        assert client.post("/v2/models/trainable/train/", json=body).status_code == 200
        with gate.accept()[0]:
            server.stop()


def test_malformed_entry_point(tmp_path: Path, start: Callable[..., Server]) -> None:
    """Another package's malformed entry point does not affect a named model."""
    distribution(tmp_path / "installed", "iris-deepaas", f"[{GROUP}]\niris = iris-deepaas\n")
    server = start("--model-name", "good", models={"good": GOOD})
    assert "Serving good on" in server.log
    named = [line for line in server.log.splitlines() if "iris-deepaas" in line]
    assert [" WARNING " in line for line in named] == [True], server.log


TAKES_OVER_LOGGING = {
    "handlers removed": """
        root = logging.getLogger()
        for handler in root.handlers[:]:
            root.removeHandler(handler)
        root.setLevel(logging.ERROR)
        root.addHandler(logging.NullHandler())""",
    "handlers changed": """
        for handler in logging.getLogger().handlers:
            handler.setLevel(100)
            handler.setFormatter(logging.Formatter(""))""",
    "dictConfig": """
        console = {"class": "logging.StreamHandler"}
        root = {"level": "INFO", "handlers": ["console"]}
        logging.config.dictConfig({"version": 1, "handlers": {"console": console}, "root": root})""",
    "basicConfig": "logging.basicConfig(force=True, handlers=[logging.NullHandler()])",
    "switched off": "logging.disable()",
}


@pytest.mark.slow
@pytest.mark.parametrize("how", TAKES_OVER_LOGGING)
def test_model_that_takes_over_logging(tmp_path: Path, start: Callable[..., Server], how: str) -> None:
    """Changes of a model to Python's logging do not hide deepaas's log lines."""
    code = inspect.cleandoc(TAKES_OVER_LOGGING[how])
    fails = "def predict(): raise ValueError('find me in the log')"
    batches = "def predict_batch(calls): raise ValueError('find me, too')"
    (tmp_path / "model.py").write_text(f"import logging.config\n{code}\n{fails}\n{batches}\n")
    server = start("--model", "./model.py", models={})
    with server.client() as client:
        assert predict(client, "model").status_code == 500
        with ThreadPoolExecutor(8) as threads:  # so that some calls form a batch
            list(threads.map(lambda _: predict(client, "model"), range(16)))
    server.stop()
    for words in ("Serving model on", "ValueError: find me in the log", "model.py", "Shutting down"):
        assert words in server.log


@pytest.mark.slow
@pytest.mark.parametrize("to_file", [False, True])
@pytest.mark.parametrize("how", TAKES_OVER_LOGGING)
def test_failing_start_of_a_model_that_takes_over_logging(tmp_path: Path, how: str, *, to_file: bool) -> None:
    """The reason for the failed start is still logged."""
    code = inspect.cleandoc(TAKES_OVER_LOGGING[how])
    fails = "def get_predict_args(): raise FileNotFoundError('models/x/ckpts')"
    (tmp_path / "model.py").write_text(f"import logging.config\n{code}\n{fails}\ndef predict(): return 1\n")
    log = tmp_path / "log"
    flags = ("--log-file", str(log)) if to_file else ()
    ended = run_until_exit(tmp_path, "--model", "./model.py", *flags, models={})
    assert ended.returncode == 1
    assert "FileNotFoundError: models/x/ckpts" in (log.read_text() if to_file else ended.stdout)
