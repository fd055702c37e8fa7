"""Provenance of a trained model: one document with everything needed to train it again."""

import importlib.metadata
import platform
import socket
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from support.server import Gate, Server
from support.trainings import STEPS, begin, ended, path_of, sha256

pytestmark = pytest.mark.slow
DISTRIBUTION = "\nMetadata-Version: 2.1\nName: extra-package\nVersion: {}\n"


def provenance(client: httpx.Client, record: dict[str, Any]) -> dict[str, Any]:
    response = client.get(path_of(record, "/provenance"))
    assert response.status_code == 200
    return dict(response.json())


def test_document(http: httpx.Client) -> None:
    """The document has arguments, model, versions of Python and packages, start, finish and host."""
    before = time.time()
    record = begin(http, ["leave", "a", "x"], ["return", 1], positive=3)
    done = ended(http, record)
    found = provenance(http, record)
    assert found["training"]["args"] == done["args"]
    assert found["training"]["args"]["positive"] == 3
    assert found["training"]["uuid"] == record["uuid"]
    assert found["model"] == {"name": "steps", "version": "1.0"}
    assert found["environment"]["python"] == platform.python_version()
    packages = found["environment"]["packages"]
    for name in ("aiohttp", "numpy", "marshmallow"):
        assert packages[name] == importlib.metadata.version(name)
    assert packages["ten-line-models"] == "1.0"
    assert packages["deepaas"] == importlib.metadata.version("deepaas")
    assert before < found["started"] < found["finished"] < time.time()
    assert found["host"] == socket.gethostname()
    assert found["artifacts"] == done["artifacts"]


def test_uploads(http: httpx.Client) -> None:
    """The document has the SHA-256 of every upload by argument name, also after the upload was deleted."""
    files = [("data", ("a.csv", b"1,2")), ("more", ("b.csv", b"3,4")), ("more", ("c.csv", b"5"))]
    record = http.post("/v2/models/steps/train/", files=files).json()
    assert ended(http, record)["state"] == "done"
    found = provenance(http, record)["uploads"]
    assert sorted(_texts(found)) == sorted(map(sha256, (b"1,2", b"3,4", b"5")))
    assert set(found) == {"data", "more"}, "uploads are not assigned to arguments"


def _texts(value: Any) -> list[str]:
    """Return all strings in a value."""
    if isinstance(value, str):
        return [value]
    return [text for item in (value.values() if isinstance(value, dict) else value) for text in _texts(item)]


def test_while_running(http: httpx.Client, gate: Gate) -> None:
    """The document is available while the training runs, without a finish time."""
    record = begin(http, ["wait", gate.port])
    gate.wait()
    found = provenance(http, record)
    assert found["environment"]["packages"]["aiohttp"]
    assert found["finished"] is None
    gate.open()
    ended(http, record)


def test_of_failed(http: httpx.Client) -> None:
    """The document has the error message of a failed training."""
    record = ended(http, begin(http, ["raise", "no luck"]))
    assert provenance(http, record)["training"]["message"] == "ValueError: no luck"


def test_kept_once(start: Callable[..., Server]) -> None:
    """Each distinct set of packages is stored once, not once per training."""
    server = start(models=STEPS)
    with server.client() as client:
        for version in ("1.0", "1.0", "2.0"):
            for old in (server.cwd / "installed").glob("extra_package*"):
                (old / "METADATA").unlink()
                old.rmdir()
            info = server.cwd / "installed" / f"extra_package-{version}.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(DISTRIBUTION.format(version).lstrip())
            record = ended(client, begin(client, ["return", 1]))
            assert provenance(client, record)["environment"]["packages"]["extra-package"] == version
        connection = sqlite3.connect(server.state_dir / "trainings.sqlite")
        assert connection.execute("SELECT count(*) FROM environments").fetchone() == (2,)
        connection.close()
