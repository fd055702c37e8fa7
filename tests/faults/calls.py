"""Calls of the model that does what it is told, made without a server, and what must become of them."""

import os
import sys
from typing import Any

import psutil

from deepaas.messages import Body, Call, Envelope, Failure, WorkerConfig, encode
from serving import HERE, command_line

START = WorkerConfig(
    name="told",
    target="models_faults.told",
    python_path=[str(HERE), *sys.path],
    warm=True,
    envelope=Envelope.NONE,
    log_level="ERROR",
    log_file=os.devnull,
    log_format="text",
    log_to_stderr=False,
)


def encoded(**arguments: Any) -> bytes:
    """Return a call."""
    given = {"number": 0, "spin_s": 0.0, "size": 0} | arguments
    return encode(Call("predict", given, True, None, "/nowhere", "-"))  # noqa: FBT003


def check(outcome: Body | Failure, number: int | None) -> None:
    """Compare the outcome with what the call must get: `number`, nothing when the model fails."""
    if isinstance(outcome, Body):
        assert number is not None, "a failing call succeeded"
        assert f'"number":{number},'.encode() in outcome.content.replace(b" ", b""), outcome
    else:
        assert number is None, outcome
        assert "ValueError" in outcome.message


def workers() -> list[psutil.Process]:
    """Return this process's worker processes."""
    return [one for one in psutil.Process().children() if is_worker(one)]


def is_worker(process: psutil.Process) -> bool:
    """Return whether the process is a worker."""
    return "deepaas.workers.child" in command_line(process)
