"""Exact lines of `deepaas-cli` that existing scripts parse."""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from support.cli import LAST_LINE, RUN_S, printed, record, refused, returned, run, saved

FILES = {"files": "models.returns_files"}
TRAINABLE = {"trainable": "models.trainable"}
DATE = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}"


def test_result_is_the_last_line(tmp_path: Path) -> None:
    """The prediction is printed with Python's syntax, and only its line has braces."""
    ended = run(tmp_path, "predict", "--workers", "größe")
    assert returned(ended) == {"workers": "größe"}
    assert ended.stdout.splitlines()[-1].endswith(" INFO deepaas.cmd.cli [-] return: {'workers': 'größe'}")
    assert [line for line in ended.stdout.splitlines() if "{" in line] == [ended.stdout.splitlines()[-1]]
    assert "\x1b" not in ended.stdout


def test_result_whatever_is_logged(tmp_path: Path) -> None:
    """The result is printed although only errors are logged, to a file."""
    ended = run(tmp_path, "--log-level", "ERROR", "--log-file", "log", "predict", "--workers", "x")
    assert ended.stdout.count("\n") == 1
    assert returned(ended) == {"workers": "x"}


def test_metadata(tmp_path: Path) -> None:
    """get_metadata prints JSON, and also writes it to the output file, with any suffix."""
    ended = run(
        tmp_path, "--deepaas_method_output=new/meta.out", "get_metadata", models={"one": "models.counts"}
    )
    metadata = record(ended)
    assert metadata["name"] == "one"
    assert json.loads((tmp_path / "new/meta.out").read_text()) == metadata
    assert "New output" not in ended.stdout


@pytest.mark.parametrize(
    ("named", "written", "flags"),
    [
        ("out", "out.json", ["--what", "number"]),
        ("out.txt", "out.txt.json", ["--what", "number"]),
        ("out", "out.png", ["--what", "picture", "--accept", "image/png"]),
        ("a/b/out.png", None, ["--what", "picture", "--accept", "image/png"]),
        ("out.jpeg", None, ["--what", "picture", "--accept", "image/jpeg"]),
        ("out.json", None, ["--what", "number"]),
    ],
)
def test_output(tmp_path: Path, named: str, written: str | None, flags: list[str]) -> None:
    """The file gets its media type's suffix; scripts read a changed name as the fifth word of a line."""
    ended = run(tmp_path, "--deepaas_method_output", named, "predict", *flags, models=FILES)
    path = tmp_path / (written or named)
    assert saved(ended) == str(written or named)
    if "--accept" in flags:
        with Image.open(path) as picture:
            assert picture.size == (3, 2)
    else:
        assert json.loads(path.read_text()) == 5
    told = [line for line in ended.stdout.splitlines() if "New output" in line]
    assert told == ([f"===================> New output is {written}"] if written else [])
    assert [line.split()[4] for line in told] == [written] * len(told)


def test_file_without_an_output(tmp_path: Path) -> None:
    """A result that is a file is kept, and its name is printed."""
    ended = run(tmp_path, "predict", "--what", "large", "--accept", "application/zip", models=FILES)
    assert saved(ended) == "files-predict.zip"
    assert "You are trying" not in ended.stdout
    assert "===================> New output is files-predict.zip\n" in ended.stdout
    assert (tmp_path / "files-predict.zip").read_bytes() == bytes(range(256)) * 20_000


def test_no_method(tmp_path: Path) -> None:
    """The default method is get_metadata; unlike 2.6, it writes the output file."""
    ended = run(tmp_path, "--deepaas_method_output=meta.out", models={"one": "models.counts"})
    assert record(ended) == json.loads((tmp_path / "meta.out").read_text())
    without_model = run(tmp_path, models={})
    assert (without_model.returncode, without_model.stdout) == (1, "")
    assert without_model.stderr.startswith("Error: No model is installed")


def test_file_of_json(tmp_path: Path) -> None:
    """For an open JSON file, the decoded value is printed, not the file object."""
    (tmp_path / "model.py").write_text(
        "import io\ndef predict():\n    return io.BytesIO(b'{\"a\": [1, null]}')\n"
    )
    assert returned(run(tmp_path, "--model", "./model.py", "predict", models={})) == {"a": [1, None]}


def test_text(tmp_path: Path) -> None:
    """A text result is printed unchanged."""
    ended = run(tmp_path, "predict", "--what", "text", "--accept", "text/plain", models=FILES)
    assert printed(ended) == "bytes"


@pytest.mark.parametrize("output", [None, "t.out"])
def test_training(tmp_path: Path, output: str | None) -> None:
    """train prints the record's keys of 2.6 in their order, or writes the whole record to a file."""
    (tmp_path / "data.csv").write_text("1,2")
    flags = ["--data", "data.csv", "--rate", "0.25", "--public-name", "x"]
    options = ["--deepaas_method_output", output] if output else []
    ended = run(tmp_path, *options, "train", *flags, models=TRAINABLE)
    if output:
        assert saved(ended) == output
        shown = json.loads((tmp_path / output).read_text())
        assert shown["state"] == "done"
        assert shown["peak_memory_mb"] > 0
    else:
        shown = record(ended)
        assert list(shown) == ["date", "args", "status", "uuid", "result"]
    assert re.fullmatch(r"[0-9a-f]{32}", shown["uuid"])
    assert re.fullmatch(DATE, shown["date"])
    assert shown["args"] == {
        "what": "none",
        "rate": 0.25,
        "data": ["data", "text/csv", "data.csv"],
        "secret-name": "x",
    }
    assert shown["status"] == "done"
    assert shown["result"]["output"] == "1,2"
    assert re.fullmatch(DATE, shown["result"]["finish_date"])
    assert re.fullmatch(r"\d+:\d\d:\d\d\.\d{6}", shown["result"]["duration"])
    assert f"] Elapsed time:  {shown['result']['duration']}\n" in ended.stdout


def test_training_that_leaves_something(tmp_path: Path) -> None:
    """Metrics and artifacts are in the record, and a line names the folder."""
    (tmp_path / "leaving.py").write_text(
        "import deepaas\n"
        "def train():\n"
        "    deepaas.report(step=1, total=2, loss=0.5)\n"
        "    (deepaas.artifacts() / 'weights.bin').write_bytes(b'w')\n"
    )
    ended = run(tmp_path, "--model", "./leaving.py", "--state-dir", "state", "train", models={})
    shown = record(ended)
    assert (shown["metrics"], shown["progress"]) == ({"loss": 0.5}, 0.5)
    assert [artifact["path"] for artifact in shown["artifacts"]] == ["weights.bin"]
    folder = tmp_path / "state" / "leaving" / shown["uuid"]
    assert f"What the training left is in {folder}\n" in ended.stdout
    assert (folder / "artifacts" / "weights.bin").read_bytes() == b"w"


def test_training_that_leaves_nothing(tmp_path: Path) -> None:
    record(run(tmp_path, "--state-dir", "state", "train", models=TRAINABLE))
    assert list((tmp_path / "state").rglob("*")) == [tmp_path / "state" / "trainable"]


@pytest.mark.parametrize("command", [[sys.executable, "-m", "deepaas.cmd.cli"], ["deepaas-cli"]])
def test_version(command: list[str]) -> None:
    """The last line of --version is only the version."""
    if len(command) == 1:
        command = [str(Path(sys.executable).with_name(command[0]))]
    shown = subprocess.run([*command, "--version"], text=True, capture_output=True, timeout=RUN_S, check=True)
    assert shown.stdout.splitlines()[-1] == importlib.metadata.version("deepaas") == "2.7.0"


def test_warm(tmp_path: Path) -> None:
    """warm calls only the model's warm, and reports its error."""
    assert printed(run(tmp_path, "warm", models={"one": "models.warmed"})) == "Finished warm() method"
    ended = run(tmp_path, "warm", models={"one": "models.faulty.in_warm"})
    assert ended.returncode == 1
    assert ended.stderr.endswith("Error: OSError: weights are missing\n")


@pytest.mark.parametrize(
    "switch", [[], ["--deepaas_with_multiprocessing"], ["--nodeepaas_with_multiprocessing"]]
)
def test_warm_runs_first(tmp_path: Path, switch: list[str]) -> None:
    """warm runs before predict, in the same process, with every start method."""
    ended = run(tmp_path, *switch, "predict", models={"one": "models.warmed"})
    result = returned(ended)
    assert (result["times"], result["same"]) == (1, True)


@pytest.mark.parametrize(
    ("switch", "what", "result"),
    [([], "process", 42), (["--nodeepaas_with_multiprocessing"], "process", 42), ([], "pool", 3)],
)
def test_processes_of_the_model(tmp_path: Path, switch: list[str], what: str, result: int) -> None:
    """A model may start processes, by spawn or fork."""
    ended = run(tmp_path, *switch, "predict", "--what", what, models={"one": "models.processes"})
    assert returned(ended) == result


def test_model_that_talks(tmp_path: Path) -> None:
    """The result is the last line, whatever the model and its processes print and log."""
    ended = run(tmp_path, "predict", "--what", "talk", models={"one": "models.processes"})
    assert returned(ended) is None
    for said in ("printed by a model", "said by a command of a model", "logged by a model"):
        assert said in ended.stdout


def test_only_predict(tmp_path: Path) -> None:
    """A model with only predict works, and a missing function is an error of one line."""
    only = {"only": "models.only_predict"}
    assert returned(run(tmp_path, "predict", models=only)) == {}
    assert "no function 'train'" in refused(run(tmp_path, "train", models=only), 1)


@pytest.mark.parametrize(
    ("flag", "method", "models", "message"),
    [
        ("raise", "train", TRAINABLE, "Error: ZeroDivisionError: division by zero\n"),
        ("exit", "train", TRAINABLE, "Error: SystemExit: 3\n"),
        ("unnamed", "predict", FILES, "Error: predict() returned a ReturnedFile without a filename."),
    ],
)
def test_failing_model(tmp_path: Path, flag: str, method: str, models: dict[str, str], message: str) -> None:
    """The model's message and traceback go to standard error; the exit code is 1."""
    ended = run(tmp_path, method, "--what", flag, models=models)
    assert ended.returncode == 1
    assert "Traceback (most recent call last):" in ended.stderr
    assert message in ended.stderr
    assert not any(map(LAST_LINE.fullmatch, ended.stdout.splitlines()))


def test_which_model(tmp_path: Path) -> None:
    """One of several models needs a name, by flag or environment, or a file or module."""
    several = {"one": "models.only_predict", "two": "models.nothing"}
    message = refused(run(tmp_path, "predict", models=several), 1)
    assert "one, two" in message
    assert "--model-name" in message
    assert returned(run(tmp_path, "predict", models=several, env={"DEEPAAS_V2_MODEL": "one"})) == {}
    assert returned(run(tmp_path, "--model-name", "one", "predict", models=several)) == {}
    assert returned(run(tmp_path, "--model", "models.only_predict", "predict", models={})) == {}
