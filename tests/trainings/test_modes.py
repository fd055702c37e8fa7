"""Files and folders of the server are private to its owner, even with umask 0."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from support.models import HEALTHY
from support.server import Gate, Server, predict
from support.trainings import STEPS, begin, ended


def modes(folder: Path) -> dict[str, str]:
    """Return the modes of a folder and its content, without content of artifacts, which models create."""
    found = {".": folder}
    for path, folders, files in os.walk(folder):
        if Path(path).name == "artifacts":
            folders.clear()
            continue
        found |= {str(Path(path, name).relative_to(folder)): Path(path, name) for name in folders + files}
    return {name: oct(stat.S_IMODE(path.stat().st_mode)) for name, path in found.items()}


def expected(folder: Path, names: set[str]) -> dict[str, str]:
    """Return the expected mode of each name."""
    return {name: "0o700" if (folder / name).is_dir() else "0o600" for name in names}


def test_state_and_scratch(start: Callable[..., Server], gate: Gate) -> None:
    """Folders have mode 700 and files 600."""
    umask = os.umask(0)
    try:
        server = start(models=STEPS | {"uploads": HEALTHY["uploads"]})
    finally:
        os.umask(umask)
    with server.client() as client:
        record = begin(client, ["report", {"step": 1, "total": 2}], ["print", "x"], ["wait", gate.port])
        gate.wait()
        found = modes(server.state_dir)
        assert {Path(name).name for name in found} >= {"job", "log", "metrics.jsonl", "trainings.sqlite"}
        assert found == expected(server.state_dir, set(found))
        gate.open()
        ended(client, record)
        large = b"x" * (2 << 20)
        assert predict(client, "uploads", files={"one": ("a.txt", large)}).status_code == 200
    found = modes(server.state_dir)
    assert "outcome.json" in {Path(name).name for name in found}
    assert found == expected(server.state_dir, set(found))
