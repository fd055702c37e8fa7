"""Where a trained model came from: one document with all that is needed to make it again."""

import importlib.metadata
import platform
import socket
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from following import STEPS, begin, ended, path_of, sha256

from serving import Gate, Server

pytestmark = pytest.mark.slow
DISTRIBUTION = "\nMetadata-Version: 2.1\nName: extra-package\nVersion: {}\n"


def provenance(client: httpx.Client, record: dict[str, Any]) -> dict[str, Any]:
    """Return a training's document."""
    response = client.get(path_of(record, "/provenance"))
    assert response.status_code == 200
    return dict(response.json())


def test_document(http: httpx.Client) -> None:
    """It has arguments, model and version, Python and package versions, start, end and host."""
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
    """It has the SHA-256 of every upload, by the argument it was for, also after the upload has gone."""
    files = [("data", ("a.csv", b"1,2")), ("more", ("b.csv", b"3,4")), ("more", ("c.csv", b"5"))]
    record = http.post("/v2/models/steps/train/", files=files).json()
    assert ended(http, record)["state"] == "done"
    found = provenance(http, record)["uploads"]
    assert sorted(_texts(found)) == sorted(map(sha256, (b"1,2", b"3,4", b"5")))
    assert set(found) == {"data", "more"}, "which upload is which cannot be told"


def _texts(value: Any) -> list[str]:
    """Return all texts in a value."""
    if isinstance(value, str):
        return [value]
    return [text for item in (value.values() if isinstance(value, dict) else value) for text in _texts(item)]


def test_while_running(http: httpx.Client, gate: Gate) -> None:
    """It can be read while the training runs; there is no end then."""
    record = begin(http, ["wait", gate.port])
    gate.wait()
    found = provenance(http, record)
    assert found["environment"]["packages"]["aiohttp"]
    assert found["finished"] is None
    gate.open()
    ended(http, record)


def test_of_failed(http: httpx.Client) -> None:
    """It says how a training ended that did not end well."""
    record = ended(http, begin(http, ["raise", "no luck"]))
    assert provenance(http, record)["training"]["message"] == "ValueError: no luck"


def test_kept_once(start: Callable[..., Server]) -> None:
    """Packages are kept once for each distinct set: as often as they change, not as often as one trains."""
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
