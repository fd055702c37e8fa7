"""Command lines of 2.6 whose output is recorded, and the format of a recording.

`tools/record-2.6-cli` records 2.6 with it; `tests/cmd/cli/test_golden.py` compares this version with it.
"""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from support.machine import limit_s
from support.server import environment

FOLDER = Path(__file__).parents[1] / "cmd" / "cli" / "golden"
MODELS = {"golden": "models.golden"}
OUTPUT = "--deepaas_method_output"
PICTURE = ["--accept", "image/png"]
CLI = {
    "no-method": [],
    "metadata": ["get_metadata"],
    "metadata-output": [OUTPUT, "out", "get_metadata"],
    "warm": ["warm"],
    "warm-output": [OUTPUT, "out", "warm"],
    "predict": ["predict"],
    "predict-arguments": ["predict", "--data", "in.txt", "--items", "[3, 4]", "--times", "5"],
    "predict-text": ["predict", "--what", "text"],
    "predict-lines": ["predict", "--what", "lines"],
    "predict-nothing": ["predict", "--what", "nothing"],
    "predict-processes": ["--deepaas_with_multiprocessing", "predict"],
    "predict-output": [OUTPUT, "out", "predict"],
    "predict-output-json": [OUTPUT, "new/out.json", "predict"],
    "predict-output-txt": [OUTPUT, "out.txt", "predict", "--what", "text"],
    "predict-output-picture": [OUTPUT, "out", "predict", *PICTURE],
    "predict-output-png": [f"{OUTPUT}=out.png", "predict", *PICTURE],
    "predict-output-jpeg": [OUTPUT, "out.png", "predict", "--accept", "image/jpeg"],
    "train": ["train"],
    "train-arguments": ["train", "--rate", "0.25", "--what", "nothing"],
    "train-output": [OUTPUT, "out.txt", "train"],
}
PREDICT = {
    "deprecated": ["-i", "in.txt", "-o", "out/"],
    "deprecated-folder": ["--input-file", "in.txt", "--output", "new/out", "--model-name", "golden"],
    "deprecated-picture": ["-i", "in.txt", "-ct", "image/png", "-o", "out/"],
    "deprecated-short": ["-i", "in.txt", "-c", "image/png", "-o", "out/", "--workers", "2", "--nowarm"],
    "deprecated-url": ["-i", "http://localhost/a/b.jpg?c=1", "--url", "-o", "out/"],
}
_INPUTS = {"in.txt": "größe"}
_REPLACED = (
    (r"\x1b\[[\d;]*m", ""),  # colours
    (r"(?m)^[\d-]{10} [\d:.]{12} \d+ ", "DATE TIME PID "),
    (r"\b[\d-]{10} \d\d:\d\d:\d\d\.\d{6}\b", "MOMENT"),
    (r"\b\d:\d\d:\d\d\.\d{6}\b", "DURATION"),
    (r"\b[0-9a-f]{32}\b", "UUID"),
)


def run(command: Sequence[str], folder: Path) -> str:
    """Return the recording of a command line: its standard output, exit code and written files."""
    work = folder / "work"
    work.mkdir(parents=True)
    for name, text in _INPUTS.items():
        (work / name).write_text(text)
    done = subprocess.run(
        command,
        cwd=work,
        env=environment(folder, MODELS, {"PYTHONIOENCODING": "utf-8"}),
        text=True,
        capture_output=True,
        timeout=limit_s(60),
        check=False,
    )
    written = (path for path in sorted(work.rglob("*")) if path.is_file() and path.name not in _INPUTS)
    files = [f"[{path.relative_to(work)}]\n{path.read_text().rstrip()}\n" for path in written]
    return normalized("".join([done.stdout, f"[exit {done.returncode}]\n", *files]))


def normalized(text: str) -> str:
    """Replace times, process ids and other values that differ between runs."""
    for pattern, word in _REPLACED:
        text = re.sub(pattern, word, text)
    return text
