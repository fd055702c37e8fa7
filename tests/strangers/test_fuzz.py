"""Fuzzing by what the server publishes of itself: no server error, nothing that it does not allow."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from serving import Server

MODELS = {"all_fields": "models.all_fields"}
FUZZ_S = 90
EXAMPLES = 12
# Left out: paths of trainings (this model has no train(), and its 501 counts as an error), and the check
# that what fits the document is accepted: the document cannot say all that a field checks, such as a URL.
EXCLUDED = ("positive_data_acceptance",)


@pytest.mark.parametrize("document", ["openapi.json"])
def test_fuzz(start: Callable[..., Server], tmp_path: Path, document: str) -> None:
    """What schemathesis makes of the document gets no 5xx and no answer that the document does not allow."""
    pytest.importorskip("schemathesis")
    server = start(models=MODELS)
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/{document}", "--checks", "all"]
    command += ["--max-examples", str(EXAMPLES), "--seed", "1", "--no-color", "--generation-database", "none"]
    command += ["--phases", "examples,coverage,fuzzing", "--exclude-path-regex", "/train"]
    for check in EXCLUDED:
        command += ["--exclude-checks", check]
    env = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    ended = subprocess.run(
        command, cwd=tmp_path, env=env, text=True, capture_output=True, timeout=FUZZ_S, check=False
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
