"""A model that can be warmed only until a file is there, and dies when it is asked for."""

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
