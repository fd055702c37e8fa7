"""Runs real `deepaas-cli` processes and parses their output as scripts do."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.machine import limit_s
from support.server import environment

RUN_S = limit_s(60)
LAST_LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \d+ INFO deepaas\.cmd\.cli \[-\] return: (?P<result>.*)"
)
TOLD = {"told": "models.batch.scripted"}
COMMAND = [sys.executable, "-m", "deepaas.cmd.cli"]

Ended = subprocess.CompletedProcess[str]


def run(
    folder: Path, *line: str, models: Mapping[str, str] = TOLD, env: Mapping[str, str] | None = None
) -> Ended:
    """Run a command line in `folder`, with only `models` installed, and wait for it."""
    with begin(folder, *line, models=models, env=env) as process:
        return ended(process)


def ended(process: "subprocess.Popen[str]") -> Ended:
    """Wait for the process; return its output and exit code."""
    out, error = process.communicate(timeout=RUN_S)
    return Ended(process.args, process.returncode, out, error)


def begin(
    folder: Path, *line: str, models: Mapping[str, str] = TOLD, env: Mapping[str, str] | None = None
) -> "subprocess.Popen[str]":
    """Start a command line in `folder`, with only `models` installed."""
    return subprocess.Popen(
        [*COMMAND, *line],
        cwd=folder,
        env=environment(folder, models, env or {}),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def printed(ended: Ended, code: int = 0) -> str:
    """Return the result, a text, from the last line of standard output. Scripts read this line."""
    assert ended.returncode == code, ended.stdout + ended.stderr
    match = LAST_LINE.fullmatch(ended.stdout.splitlines()[-1])
    assert match, ended.stdout
    return match["result"]


def returned(ended: Ended, code: int = 0) -> Any:
    """Return the result of a prediction, which is printed as Python's `repr`."""
    return ast.literal_eval(printed(ended, code))


def record(ended: Ended) -> dict[str, Any]:
    """Return the metadata or the training record, which are printed as JSON."""
    return dict(json.loads(printed(ended)))


def saved(ended: Ended) -> str:
    """Return the output path that the last line reports."""
    start, _, path = printed(ended).partition("Output is saved in ")
    assert not start
    return path


def refused(ended: Ended, code: int = 2) -> str:
    """Return the error message, which must be a single line on standard error."""
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert ended.stdout == ""
    assert re.fullmatch(r"Error: .*\n", ended.stderr), ended.stderr
    return ended.stderr


def lines(folder: Path, name: str = "manifest.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]
