"""Worker calls without a server: encodes calls of `models.faults.scripted` and checks their outcomes."""

import os
import sys
from typing import Any

import psutil

from deepaas.messages import Body, Call, Envelope, Failure, WorkerConfig, encode
from support.server import TESTS, command_line

START = WorkerConfig(
    name="told",
    target="models.faults.scripted",
    python_path=[str(TESTS), *sys.path],
    warm=True,
    envelope=Envelope.NONE,
    log_level="ERROR",
    log_file=os.devnull,
    log_format="text",
    log_to_stderr=False,
)


def encoded(**arguments: Any) -> bytes:
    given = {"number": 0, "spin_s": 0.0, "size": 0} | arguments
    return encode(Call("predict", given, True, None, "/nowhere", "-"))  # noqa: FBT003


def check(outcome: Body | Failure, number: int | None) -> None:
    """Check that the call returned `number`, or that it failed if `number` is None."""
    if isinstance(outcome, Body):
        assert number is not None, "a failing call succeeded"
        assert f'"number":{number},'.encode() in outcome.content.replace(b" ", b""), outcome
    else:
        assert number is None, outcome
        assert "ValueError" in outcome.message


def workers() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if is_worker(one)]


def is_worker(process: psutil.Process) -> bool:
    return "deepaas.workers.child" in command_line(process)
