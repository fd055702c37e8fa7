"""A model whose training returns, raises or exits as an argument says, and can wait for a gate."""

import os
import pathlib
import signal
import socket
import sys
import time

import numpy as np
from webargs import fields


def wait_for(port):
    with socket.create_connection(("127.0.0.1", port)) as gate:
        gate.recv(1)


OUTPUTS = {
    "numpy": lambda: {"loss": np.float32(0.5), "weights": np.arange(3)},
    "set": lambda: {"labels": {"a"}},
    "lock": lambda: {"lock": object()},
    "nan": lambda: {"loss": float("nan")},
    "path": lambda: pathlib.Path("/a"),
    "none": lambda: None,
    "raise": lambda: 1 / 0,
    "exit": lambda: sys.exit(3),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "deaf": lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN) and None,
    "cwd": os.getcwd,
    "pid": os.getpid,
    "time": time.time,
}


def get_train_args():
    return {
        "what": fields.Str(load_default="none"),
        "epochs": fields.Int(validate=lambda value: value > 0),
        "rate": fields.Float(load_default=0.5),
        "port": fields.Int(),
        "data": fields.Field(metadata={"type": "file", "location": "form"}),
        "secret-name": fields.Str(data_key="public-name"),
    }


def train(what, port=None, data=None, **others):
    result = OUTPUTS[what]()
    if port:
        wait_for(port)
    return pathlib.Path(data.filename).read_text() if data else result


def get_predict_args():
    return {}


def predict():
    return "predicted"
