"""The model for recordings of 2.6; it uses no newer feature."""

import io
import logging
from pathlib import Path

from webargs import fields, validate

log = logging.getLogger(__name__)


def get_metadata():
    return {
        "name": "A golden model",
        "author": "Ada Lovelace",
        "license": "MIT",
        "summary": "Größe",
        "tags": ["a", "b"],
        "nothing": None,
    }


def warm():
    # 2.6 does not call it before predictions, so it prints nothing.
    pass


def get_predict_args():
    return {
        "data": fields.Field(load_default=None, metadata={"type": "file", "location": "form"}),
        "times": fields.Int(load_default=2),
        "items": fields.List(fields.Int(), load_default=[1, 2]),
        "what": fields.Str(load_default="value"),
        "accept": fields.Str(
            load_default="application/json",
            validate=validate.OneOf(["application/json", "image/png", "image/jpeg"]),
        ),
    }


def predict(data, times, items, what, accept):
    print("printed by predict")
    log.info("logged by predict")
    if accept != "application/json":
        return io.BytesIO(b"a picture")
    if what == "text":
        return "größe"
    if what == "lines":
        return "a\n\tb"
    if what == "nothing":
        return None
    result = {"text": "größe", "nested": {"list": [1, 2.5, None, True], "pair": (1, 2)}}
    return result | {
        "times": times,
        "items": items,
        "file": data and [data.original_filename, data.content_type],
    }


def get_train_args():
    return {"rate": fields.Float(load_default=0.5), "what": fields.Str(load_default="value")}


def train(rate, what):
    print("printed by train")
    return {"rate": rate, "summary": "größe"} if what == "value" else None


def predict_data(arguments):
    (file,) = arguments["files"]
    print(
        "predict_data",
        file.name,
        file.filename,
        file.content_type,
        file.original_filename,
        arguments["accept"],
    )
    if arguments["accept"] == "application/json":
        return {"text": Path(file.filename).read_text(), "pair": (1, "größe")}
    Path("made.png").write_bytes(b"a picture")
    return open("made.png", "rb")


def predict_url(arguments):
    print("predict_url", arguments)
    return arguments["urls"]
