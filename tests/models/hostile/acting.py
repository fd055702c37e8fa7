"""Performs the act of the environment variable ACT when it is imported, or the act of a training."""

import os
import warnings

from webargs import fields

from models.hostile.acts import ACTS

ACTS[os.environ.get("ACT", "nothing")]()


def get_predict_args():
    return {"number": fields.Int(required=True)}


def predict(number):
    print("grüße", flush=True)
    return {"number": number, "pid": os.getpid()}


def predict_batch(calls):
    warnings.warn("noted", stacklevel=1)
    raise ValueError("one by one")


def get_train_args():
    return {"act": fields.Str(required=True), "fails": fields.Bool(required=True)}


def train(act, fails):
    ACTS[act]()
    print("grüße", flush=True)
    if fails:
        raise ValueError("find me")
    return os.getpid()
