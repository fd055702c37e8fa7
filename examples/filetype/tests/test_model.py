"""File types are detected by content, and predictions match the schema."""

import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from deepaas.model.v2.wrapper import UploadedFile
from marshmallow import Schema

from filetype_model import model

THREE = Path(__file__).parents[2] / "digits" / "three.png"
CODE = 'import sys\n\n\ndef main() -> None:\n    print("hello", sys.argv)\n\n\nmain()\n'
TABLE = "time,station,temperature\n" + "".join(f"2026-11-{day:02},Jena,{day / 2}\n" for day in range(1, 25))


def uploaded(path: Path) -> UploadedFile:
    """Return the file as the server passes it to the model."""
    return UploadedFile("file", str(path), "application/octet-stream", path.name)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, UploadedFile]:
    """Return a file of each type, with names that do not reveal it."""
    with zipfile.ZipFile(tmp_path / "1", "w") as archive:
        archive.writestr("a.txt", "text " * 100)
    contents = {"2": CODE.encode(), "3": TABLE.encode(), "4": THREE.read_bytes(), "5": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    kinds = ("zip", "python", "csv", "png", "empty")
    return {kind: uploaded(tmp_path / str(number)) for number, kind in enumerate(kinds, start=1)}


def test_installed_package_declares_the_model() -> None:
    [entry_point] = entry_points(group="deepaas.v2.model", name="filetype")
    assert entry_point.load() is model


def test_kinds(files: dict[str, UploadedFile]) -> None:
    """Each type is detected, and the prediction matches the schema."""
    for kind, file in files.items():
        answer = model.predict(file)
        assert answer["label"] == kind
        assert Schema.from_dict(dict(model.schema))().validate(answer) == {}


def test_many_at_once(files: dict[str, UploadedFile]) -> None:
    """A batch returns the same results as single calls, in order."""
    answers = model.predict_batch([{"file": file} for file in files.values()])
    assert [answer["label"] for answer in answers] == list(files)


def test_importing_is_light() -> None:
    """Reading arguments and metadata does not import the network's runtime."""
    program = (
        "import sys; from filetype_model import model; model.get_predict_args(), model.get_metadata(); "
        "print('onnxruntime' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_contract(files: dict[str, UploadedFile]) -> None:
    """`deepaas-cli check` finds no error, and the prediction succeeds."""
    command = [sys.executable, "-m", "deepaas.cmd.cli", "--model-name", "filetype", "check"]
    done = subprocess.run(
        [*command, "--with", f"file={files['png'].filename}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
