"""A model that can exit its process; warm() fails from then on."""

import os
import pathlib

from marshmallow import fields


def warm():
    if pathlib.Path("broken").exists():
        raise RuntimeError("no device left")


def get_predict_args():
    return {"die": fields.Bool(load_default=False)}


def predict(die):
    if die:
        pathlib.Path("broken").touch()
        os._exit(1)
    return "alive"
