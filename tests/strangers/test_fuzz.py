"""Fuzzing by what the server publishes of itself: no server error, nothing that it does not allow.

What schemathesis sends to an operation is mostly its own choice; EXAMPLES more are random. Fields take more
than documents say, such as "1" for an integer in JSON: those that the model wants JSON for are strict.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import Server, serving
from support.machine import limit_s

pytestmark = pytest.mark.slow
MODELS = {"every_field": "models_fuzz.every_field", "digits": "models_fuzz.digits_at_once"}
TOKEN = "s3cret"  # so that the check for ignored tokens has something to look for
FLAGS = ["--max-trainings", "2", "--keep-trainings", "10", "--debug-endpoint"]
EXAMPLES = {"every_field": 5, "digits": 1}
FUZZ_S = limit_s(300)
REQUEST_S = round(limit_s(60))  # following a training takes until those before it have ended
# A training that was cancelled stays readable: clients look up how it ended.
CONFIGURATION = """
[[operations]]
include-path-regex = "/train/"
checks.use_after_free.enabled = false
"""


@pytest.fixture(scope="module", params=MODELS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server of one of the models."""
    models = {request.param: MODELS[request.param]}
    env = {"DEEPAAS_AUTH_TOKEN": TOKEN}
    with serving(tmp_path_factory.mktemp("fuzzed"), *FLAGS, models=models, env=env) as server:
        yield server


@pytest.mark.parametrize("document", ["openapi.json", "swagger.json"])
def test_fuzz(server: Server, request: pytest.FixtureRequest, tmp_path: Path, document: str) -> None:
    """What schemathesis makes of the document gets no 5xx and no answer that the document does not allow."""
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
