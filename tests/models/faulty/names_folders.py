"""A model whose errors contain paths of the server; warm() fails once the file `broken` exists."""

import os
import pathlib

from aiohttp import web
from webargs import fields

PATH = "/tmp/a folder/weights (1).pt"
ERRORS = {
    "missing": FileNotFoundError(2, "No such file or directory", PATH),
    "bad_request": web.HTTPBadRequest(reason=f"no {PATH!r}"),
}


def get_metadata():
    raise ERRORS["missing"]


def warm():
    if pathlib.Path("broken").exists():
        raise ERRORS["missing"]


def get_predict_args():
    return {"what": fields.Str(load_default="missing")}


def predict(what):
    if what == "die":
        pathlib.Path("broken").touch()
        os._exit(1)
    raise ERRORS[what]


def train():
    raise ERRORS["missing"]
