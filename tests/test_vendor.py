"""The vendored browser files match their manifest."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "src/deepaas/http/static/vendor"
PACKAGES = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))


def check(*line: str) -> subprocess.CompletedProcess[str]:
    script = [sys.executable, str(ROOT / "tools/vendor.py"), "--check", *line]
    return subprocess.run(script, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the vendored files that a test may change."""
    return Path(shutil.copytree(FOLDER, tmp_path / "vendor"))


def test_files_match_the_manifest() -> None:
    """Every vendored file is unchanged since npm published it, and there are no others."""
    done = check()
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["package"])
def test_licences_are_named_and_kept(package: dict[str, Any]) -> None:
    assert package["licence"]
    assert [*(FOLDER / package["package"]).glob("LICENSE*")]


def change(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


@pytest.mark.parametrize(
    ("spoil", "name", "words"),
    [
        (change, "swagger-ui.css", "swagger-ui.css was changed"),
        (Path.unlink, "NOTICE", "NOTICE is missing"),
        (Path.touch, "extra.js", "extra.js is not in the manifest"),
    ],
)
def test_differences_are_reported(copy: Path, spoil: Callable[[Path], object], name: str, words: str) -> None:
    """The check reports a changed, missing or extra file by name."""
    spoil(copy / "swagger-ui-dist" / name)
    done = check("--folder", str(copy))
    assert done.returncode == 1
    assert words in done.stderr
    assert "make vendor" in done.stderr


def test_licence_text_is_required(copy: Path) -> None:
    packages = json.loads((copy / "manifest.json").read_text())
    del packages[0]["files"]["LICENSE"]
    (copy / "manifest.json").write_text(json.dumps(packages))
    done = check("--folder", str(copy))
    assert done.returncode == 1
    assert "swagger-ui-dist has no LICENSE" in done.stderr
