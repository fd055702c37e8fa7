"""A model that computes for 50 ms of processor time."""

import time

from webargs import fields

SERVICE_MS = 50


def get_predict_args():
    return {"x": fields.Float(required=True)}


def predict(x):
    end_s = time.thread_time() + SERVICE_MS / 1000
    while time.thread_time() < end_s:
        x = 2 * x % 1000
    return {"y": x}
