"""A model that computes for 50 ms of a processor's time."""

import time

from webargs import fields

SERVICE_MS = 50


def get_predict_args():
    """Return one small argument, as the trivial model does."""
    return {"x": fields.Float(required=True)}


def predict(x):
    """Compute, and return a small result."""
    end_s = time.thread_time() + SERVICE_MS / 1000
    while time.thread_time() < end_s:
        x = 2 * x % 1000
    return {"y": x}
