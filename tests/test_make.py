"""`make` before there is a virtual environment."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent
ADVICE = "install the python3-venv package"


@pytest.mark.parametrize("target", [".venv/.serve", ".venv/.develop"])
@pytest.mark.parametrize("has_pip", [True, False])
def test_environment_without_pip(tmp_path: Path, target: str, *, has_pip: bool) -> None:
    """An environment without pip is created again, so that Python reports the missing package."""
    for name in (
        "Makefile",
        "pyproject.toml",
        "examples/digits/pyproject.toml",
        "examples/filetype/pyproject.toml",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / name, tmp_path / name)
    _script(tmp_path / "python", f"echo '{ADVICE}'; exit 1")
    _script(tmp_path / target.partition("/")[0] / "bin" / "python", f"exit {0 if has_pip else 1}")
    done = subprocess.run(
        ["make", "PYTHON=./python", target], cwd=tmp_path, text=True, capture_output=True, check=False
    )
    assert (done.returncode == 0) == has_pip, done.stderr
    assert (ADVICE in done.stdout) != has_pip


def _script(path: Path, commands: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{commands}\n")
    path.chmod(0o755)
