"""The array job of docs/batch.md, run by stand-ins for the batch system's two commands."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from support.cli import lines
from support.server import END_S, Gate, environment, wait_until

PAGE = Path(__file__).parents[3] / "docs/batch.md"
MODEL = """
import pathlib, socket
from marshmallow import fields
def get_predict_args():
    return {"image": fields.Raw(metadata={"type": "file", "location": "form"})}
def predict(image):
    port = pathlib.Path(image.filename).read_text()
    if port:
        socket.create_connection(("127.0.0.1", int(port))).recv(1)
    return 3
"""
STAND_INS = {
    "srun": f'#!/bin/sh\nshift 3\nexec {sys.executable} -m deepaas.cmd.cli "$@"\n',
    "scontrol": '#!/bin/sh\necho "$@" > requeued\n',
}


def task(number: int) -> dict[str, str]:
    """Return the environment of a task of the array job."""
    values = {"ID": number, "MIN": 1, "MAX": 16, "STEP": 1, "COUNT": 16}
    array = {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()}
    return array | {"SLURM_ARRAY_JOB_ID": "77", "SLURM_CPUS_PER_TASK": "1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the script, the model, what it is to predict for, and the stand-ins."""
    script = re.search(r"^(#!/bin/sh\n#SBATCH.*?)```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert script
    (tmp_path / "job.sh").write_text(script[1])
    for name in ("installed", "scans", "commands"):
        (tmp_path / name).mkdir()
    (tmp_path / "installed" / "digits_model.py").write_text(MODEL)
    for name, text in STAND_INS.items():
        (tmp_path / "commands" / name).write_text(text)
        (tmp_path / "commands" / name).chmod(0o755)
    return tmp_path


def begin(folder: Path) -> "subprocess.Popen[str]":
    """Start the second task."""
    path = os.pathsep.join([str(folder / "commands"), os.environ["PATH"]])
    env = environment(
        folder, {"digits": "digits_model"}, task(2) | {"PATH": path, "DEEPAAS_LOG_FILE": str(folder / "log")}
    )
    return subprocess.Popen(["sh", "job.sh"], cwd=folder, env=env, text=True, stdout=subprocess.DEVNULL)


def test_array_job(folder: Path, gate: Gate) -> None:
    """A stopped task is requeued, and resumes its shard."""
    for number in range(40):
        (folder / "scans" / f"{number:02}.png").write_text(str(gate.port) if number == 1 else "")
    with begin(folder) as job:
        gate.wait()
        for process in wait_until(lambda: psutil.Process(job.pid).children(recursive=True)):
            process.send_signal(signal.SIGUSR1)
        wait_until(lambda: "finishing" in (folder / "log").read_text())
        gate.open()
        assert job.wait(END_S) == 75
    assert (folder / "requeued").read_text() == "requeue 77_2\n"
    (folder / "requeued").unlink()
    with begin(folder) as job:
        assert job.wait(END_S) == 0
    assert not (folder / "requeued").exists()
    part = lines(folder / "results", "manifest.2-of-16.jsonl")
    assert sorted(line["output"] for line in part) == ["01.png.json", "17.png.json", "33.png.json"]
