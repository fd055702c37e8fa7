"""Forks at the places of the environment variable FORK; the copies go on like the original."""

import os
import sys
from pathlib import Path

from webargs import fields

FORKS = os.environ.get("FORK", "")
ORIGINAL = os.getpid()


def fork(place):
    if place in FORKS and os.getpid() == ORIGINAL and os.fork() == 0:
        if "raise" in FORKS:
            raise ValueError("of the copy")
        if "exit" in FORKS:
            raise SystemExit(3)


if "deepaas.cmd.run" not in sys.orig_argv:
    fork("import")


def note(call):
    with Path("notes").open("a") as notes:
        notes.write(f"{call}\n")


def warm():
    fork("warm")
    note("warm")


def get_predict_args():
    return {"number": fields.Int(required=True)}


def predict(number):
    fork("predict")
    if "stream" in FORKS:
        return stream(number)
    return {"number": number, "pid": os.getpid()}


def stream(number):
    fork("stream")
    yield {"number": number, "pid": os.getpid()}


def predict_batch(calls):
    fork("batch")
    return [{"number": call["number"], "pid": os.getpid()} for call in calls]


def train():
    fork("train")
    return os.getpid()
