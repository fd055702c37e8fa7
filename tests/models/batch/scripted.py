"""A model that executes the command in its input file, and records the names of its inputs."""

import multiprocessing
import os
import pathlib
import signal
import socket
import sys
import time

from marshmallow import fields, validate

FILE = {"type": "file", "location": "form"}


def wait_for(port):
    with socket.create_connection(("127.0.0.1", int(port))) as gate:
        gate.recv(1)


def fail(reason):
    raise ValueError(reason)


def fork_and_terminate(_):
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    process.start()
    process.terminate()
    process.join(600)
    assert process.exitcode == -signal.SIGTERM, process.exitcode


ORDERS = {
    "fork": fork_and_terminate,
    "wait": wait_for,
    "raise": fail,
    "die": lambda name: os.kill(os.getpid(), getattr(signal, name)),
    "exit": lambda code: os._exit(int(code)),
}


def get_predict_args():
    return {
        "data": fields.Raw(metadata=FILE),
        "other": fields.Raw(metadata=FILE),
        "times": fields.Int(load_default=1, validate=validate.Range(min=1, max=9)),
        "workers": fields.Str(metadata={"description": "An argument that is called like an option."}),
        "accept": fields.Str(
            load_default="application/json", validate=validate.OneOf(["application/json", "image/png"])
        ),
    }


def predict(data=None, other=None, times=1, workers=None, accept=None):
    if data is None:
        return {"workers": workers}
    with pathlib.Path("calls").open("a") as calls:
        calls.write(f"{data.original_filename}\n")
    text = pathlib.Path(data.filename).read_text()
    pathlib.Path(data.filename).unlink()
    order, _, argument = text.partition(" ")
    if order in ORDERS:
        ORDERS[order](argument)
    if other:
        text += pathlib.Path(other.filename).read_text()
        pathlib.Path(other.filename).unlink()
    print("predicted", file=sys.stderr)
    return text.encode() if accept == "image/png" else {"text": text * times}
