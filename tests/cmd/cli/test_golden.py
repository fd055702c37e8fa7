"""Output of 2.6.0, recorded by `tools/record-2.6-cli`, compared with this version's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support import golden
from support.cli import RUN_S, Ended
from support.server import environment

DEPRECATED = (
    "deepaas-predict is deprecated and will be removed in the next major release: "
    "use deepaas-cli predict instead.\n"
)


def script(name: str) -> str:
    """Return the path of an installed command."""
    return str(Path(sys.executable).with_name(name))


def recorded(case: str) -> str:
    """Return the recorded output of 2.6.0."""
    return (golden.FOLDER / f"{case}.txt").read_text()


@pytest.mark.parametrize("case", golden.CLI)
def test_cli(case: str, tmp_path: Path) -> None:
    """Standard output, exit code and file names equal 2.6's; JSON files have equal content."""
    ours = golden.run([script("deepaas-cli"), *golden.CLI[case]], tmp_path)
    (printed, _, files), (expected, _, expected_files) = (
        ours.partition("[exit"),
        recorded(case).partition("[exit"),
    )
    assert printed == expected
    code, *lines = files.splitlines()
    expected_code, *expected_lines = expected_files.splitlines()
    assert (code, lines[::2]) == (expected_code, expected_lines[::2])
    for content, expected_content in zip(lines[1::2], expected_lines[1::2], strict=True):
        if not expected_content.startswith(("{", '"')):
            assert content == expected_content
        elif case == "train-output":  # this version's record has more keys
            assert json.loads(expected_content).items() <= json.loads(content).items()
        else:
            assert json.loads(content) == json.loads(expected_content)


@pytest.mark.parametrize("case", golden.PREDICT)
def test_deprecated(case: str, tmp_path: Path) -> None:
    """`deepaas-predict` prints and writes exactly the same as in 2.6."""
    assert golden.run([script("deepaas-predict"), *golden.PREDICT[case]], tmp_path) == recorded(case)


def predicted(folder: Path, *line: str, target: str = "models.golden") -> Ended:
    """Run `deepaas-predict` in `folder`."""
    return subprocess.run(
        [script("deepaas-predict"), *line],
        cwd=folder,
        env=environment(folder, {"one": target}, {}),
        text=True,
        capture_output=True,
        timeout=RUN_S,
        check=False,
    )


def test_deprecation_is_one_line_of_standard_error(tmp_path: Path) -> None:
    """The line names the replacement of `deepaas-predict`."""
    (tmp_path / "in.txt").write_text("x")
    ended = predicted(tmp_path, "-i", "in.txt", "-o", "out")
    assert ended.stderr == DEPRECATED
    assert ended.returncode == 0


@pytest.mark.parametrize(
    ("target", "line", "message"),
    [
        ("models.golden", ["-o", "out"], "Missing option --input-file: set the input file."),
        ("models.golden", ["-i", "x"], "Missing option --output: set the output folder."),
        (
            "models.only_predict",
            ["-i", "x", "-o", "out"],
            "The model 'one' has no function 'predict_data', which deepaas-predict calls: use deepaas-cli",
        ),
        (
            "models.golden",
            ["-i", "x", "-o", "out", "--url", "-ct", "image/png"],
            "The model returned list for the content type image/png, where deepaas-predict takes an open",
        ),
        (
            "models.golden",
            ["-i", "missing", "-o", "out"],
            "FileNotFoundError: [Errno 2] No such file or directory",
        ),
    ],
)
def test_deprecated_fails(tmp_path: Path, target: str, line: list[str], message: str) -> None:
    """A failed prediction exits with 1, as in 2.6, and writes nothing."""
    ended = predicted(tmp_path, *line, target=target)
    assert ended.returncode == 1
    assert f"\nError: {message}" in ended.stderr
    assert not (tmp_path / "out").exists()
