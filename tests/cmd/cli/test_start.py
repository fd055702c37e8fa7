"""Start-up time of `deepaas-cli`, and shell completion."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from support.cli import COMMAND, RUN_S, TOLD
from support.machine import processor_s
from support.server import environment

HEAVY = ["aiohttp", "asyncio", "marshmallow", "sqlalchemy", "uvloop", "prometheus_client", "multiprocessing"]


def used_s(folder: Path, *line: str) -> float:
    """Return the CPU seconds of a command line, which do not depend on other processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    env = environment(folder, TOLD, {})
    subprocess.run(line, env=env, cwd=folder, capture_output=True, timeout=RUN_S, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def test_help_is_there_at_once(tmp_path: Path) -> None:
    """The help takes less than 0.3 s of CPU time, including the interpreter."""
    assert min(used_s(tmp_path, *COMMAND, "--help") for _ in range(3)) < processor_s(0.3)


def test_help_imports_little(tmp_path: Path) -> None:
    """The help imports neither the model nor modules that only methods need."""
    program = (
        "import sys\n"
        "from deepaas.cmd.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(tmp_path, TOLD, {}),
        text=True,
        capture_output=True,
        timeout=RUN_S,
        check=True,
    )
    imported = shown.stderr.split()
    assert "deepaas.cmd.cli" in imported
    assert not {*HEAVY, "models.batch.scripted"} & set(imported)
    for method in ("get_metadata", "warm", "predict", "train"):
        assert f"  {method} " in shown.stdout


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("deepaas-cli ", ["get_metadata", "warm", "predict", "train"]),
        ("deepaas-cli --model-n", ["--model-name"]),
        ("deepaas-cli predict --t", ["--times"]),
        ("deepaas-cli predict --accept im", ["image/png"]),
        ("deepaas-cli predict --data ", ["file"]),
    ],
)
def test_completion(tmp_path: Path, words: str, completed: list[str]) -> None:
    """The shell completes methods, flags, choices and files."""
    env = {
        "_DEEPAAS_CLI_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    ended = subprocess.run(
        [str(Path(sys.executable).with_name("deepaas-cli"))],
        env=environment(tmp_path, TOLD, env),
        text=True,
        capture_output=True,
        timeout=RUN_S,
        check=True,
    )
    found = [line.split(",") for line in ended.stdout.splitlines()]
    assert {kind if kind == "file" else value for kind, value in found} >= set(completed)


def test_completion_without_a_model(tmp_path: Path) -> None:
    """Without an installed model, completion is empty and does not fail."""
    env = {
        "_DEEPAAS_CLI_COMPLETE": "bash_complete",
        "COMP_WORDS": "deepaas-cli predict --",
        "COMP_CWORD": "2",
    }
    command = [str(Path(sys.executable).with_name("deepaas-cli"))]
    ended = subprocess.run(
        command, env=environment(tmp_path, {}, env), text=True, capture_output=True, timeout=RUN_S, check=True
    )
    assert "Traceback" not in ended.stderr
