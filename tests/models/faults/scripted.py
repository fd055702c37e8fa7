"""A model whose arguments make it wait for a gate, spin, fail, kill itself, or return a large result."""

import logging
import os
import pathlib
import signal
import socket
import time

from webargs import fields


def get_predict_args():
    return {
        "port": fields.Int(),
        "spin_s": fields.Float(load_default=0.0),
        "end": fields.Str(),
        "size": fields.Int(load_default=0),
        "number": fields.Int(load_default=0),
        "note": fields.Str(),
        "say": fields.Str(),
        "data": fields.Field(metadata={"type": "file", "location": "form"}),
    }


def wait_for(port):
    with socket.create_connection(("127.0.0.1", port)) as gate:
        gate.recv(1)


def predict(number, spin_s, size, port=None, end=None, note=None, say=None, data=None):
    if note:
        with pathlib.Path("notes").open("a") as notes:
            notes.write(f"{note}\n")
    if say:
        logging.getLogger(__name__).warning(say)
    if port:
        wait_for(port)
    stop = time.monotonic() + spin_s
    while time.monotonic() < stop:
        pass
    if end == "raise":
        raise ValueError(f"number {number}")
    if end:
        os.kill(os.getpid(), signal.Signals[end])
    return {"number": number, "pid": os.getpid(), "content": "x" * size}


def get_train_args():
    return {"port": fields.Int(), "say": fields.Str(), "deaf": fields.Bool(load_default=False)}


def train(deaf, port=None, say=None):
    if deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if say:
        logging.getLogger(__name__).warning(say)
    if port:
        wait_for(port)
    return "trained"
