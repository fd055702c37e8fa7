"""Fuzzing with the API documents: no server errors, and no undocumented responses.

schemathesis chooses most requests itself; EXAMPLES per operation are random. Fields accept more than the
documents allow, such as "1" for an integer in JSON, so the fields that are sent as JSON are strict.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.machine import limit_s
from support.server import Server, serving

pytestmark = pytest.mark.slow
MODELS = {"every_field": "models.fuzz.every_field", "digits": "models.fuzz.digits_at_once"}
TOKEN = "s3cret"  # for the check that tokens are not ignored
FLAGS = ["--max-trainings", "2", "--keep-trainings", "10", "--debug-endpoint"]
EXAMPLES = {"every_field": 5, "digits": 1}
FUZZ_S = limit_s(300)
REQUEST_S = round(limit_s(60))  # following a queued training includes the time of those before it
# A cancelled training can still be read: clients look up its outcome.
CONFIGURATION = """
[[operations]]
include-path-regex = "/train/"
checks.use_after_free.enabled = false
"""


@pytest.fixture(scope="module", params=MODELS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    models = {request.param: MODELS[request.param]}
    env = {"DEEPAAS_AUTH_TOKEN": TOKEN}
    with serving(tmp_path_factory.mktemp("fuzzed"), *FLAGS, models=models, env=env) as server:
        yield server


@pytest.mark.parametrize("document", ["openapi.json", "swagger.json"])
def test_fuzz(server: Server, request: pytest.FixtureRequest, tmp_path: Path, document: str) -> None:
    """Requests generated from a document get no 5xx and no undocumented response."""
    pytest.importorskip("schemathesis")
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    examples = EXAMPLES[request.node.callspec.params["server"]]
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/{document}"]
    command += ["--header", f"Authorization: Bearer {TOKEN}", "--max-examples", str(examples)]
    command += ["--seed", "1", "--no-color", "--generation-database", "none", "--continue-on-failure"]
    command += ["--request-timeout", str(REQUEST_S)]
    env = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    env |= {"SCHEMATHESIS_HOOKS": "fuzz_hooks", "PYTHONPATH": str(Path(__file__).parent)}
    ended = subprocess.run(
        command, cwd=tmp_path, env=env, text=True, capture_output=True, timeout=FUZZ_S, check=False
    )
    assert ended.returncode == 0, ended.stdout[-12000:] + ended.stderr[-2000:]
