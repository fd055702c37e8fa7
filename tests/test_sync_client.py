"""The blocking client is generated from the asyncio client."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CLIENT = ROOT / "src/deepaas/client"


def generate(*flags: str) -> subprocess.CompletedProcess[str]:
    script = [sys.executable, str(ROOT / "tools/sync_client.py"), *flags]
    return subprocess.run(script, capture_output=True, text=True, check=False)


def test_committed_files_are_generated() -> None:
    done = generate("--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("change", ["edited", "missing", "extra"])
def test_differences_are_reported_and_overwritten(tmp_path: Path, change: str) -> None:
    folder = Path(shutil.copytree(CLIENT, tmp_path / "client"))
    changed = folder / "_sync" / ("extra.py" if change == "extra" else "training.py")
    if change == "missing":
        changed.unlink()
    else:
        changed.write_text("changed = True\n")
    done = generate("--check", "--folder", str(folder))
    assert (done.returncode, changed.exists()) == (1, change != "missing")
    assert f"{changed.name} in {folder}/_sync. Run `make fix`." in done.stdout
    assert generate("--folder", str(folder)).returncode == 0
    assert generate("--check", "--folder", str(folder)).returncode == 0


def test_nothing_asynchronous_is_left() -> None:
    """The replacements leave no asyncio name in the blocking client."""
    text = "".join(path.read_text() for path in (CLIENT / "_sync").glob("*.py") if path.stem != "__init__")
    code = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    assert not [word for word in ("async", "await", "Async", "aiter", "aclos", "aread") if word in code]
