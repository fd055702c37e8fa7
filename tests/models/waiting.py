"""A model that waits for a gate, or ends its process as an argument says."""

import ctypes
import os
import signal
import socket

from webargs import fields

ENDS = {
    "SIGSEGV": lambda: ctypes.string_at(0),
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "SIGABRT": os.abort,
    "SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "code 3": lambda: os._exit(3),
    "code 0": lambda: os._exit(0),
}


def get_predict_args():
    return {"port": fields.Int(), "end": fields.Str(), "number": fields.Int(load_default=0)}


def predict(number, port=None, end=None):
    if port:
        with socket.create_connection(("127.0.0.1", port)) as gate:
            gate.recv(1)
    if end:
        ENDS[end]()
    return {"number": number, "pid": os.getpid()}
