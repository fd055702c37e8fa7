"""A model whose warm() kills the process if the file `order` names a signal."""

import os
import pathlib
import signal

from webargs import fields


def warm():
    order = pathlib.Path("order")
    if order.exists():
        os.kill(os.getpid(), signal.Signals[order.read_text()])


def get_predict_args():
    return {"end": fields.Str()}


def predict(end=None):
    if end:
        os.kill(os.getpid(), signal.Signals[end])
    return os.getpid()
