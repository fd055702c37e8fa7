"""A model that returns the content of its uploads, and may delete or move them."""

import os
import shutil
import tempfile
from pathlib import Path

from marshmallow import fields


def get_predict_args():
    file = {"type": "file", "location": "form"}
    return {
        "one": fields.Field(metadata=file),
        "many": fields.List(fields.Field(metadata=file)),
        "marked": fields.List(fields.Field(), metadata=file),
        "old": fields.Raw(metadata=file),
        "then": fields.Str(load_default="answer"),
    }


def predict(then, **files):
    paths = [
        file.filename for value in files.values() for file in (value if isinstance(value, list) else [value])
    ]
    if then == "raise":
        raise ValueError(paths[0])
    if then == "delete":
        os.remove(paths[0])
    if then == "move":
        shutil.move(paths[0], os.path.join(tempfile.gettempdir(), "moved"))
        os.remove(os.path.join(tempfile.gettempdir(), "moved"))
    if then == "exit":
        os._exit(7)
    return {
        name: [describe(f) for f in value] if isinstance(value, list) else describe(value)
        for name, value in files.items()
    }


def describe(file):
    there = os.path.exists(file.filename)
    return file._asdict() | {"content": Path(file.filename).read_bytes().decode() if there else None}
