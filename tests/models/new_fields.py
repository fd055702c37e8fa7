"""The arguments of old_fields in the current marshmallow style."""

from pathlib import Path

from marshmallow import fields, validate


def get_predict_args():
    picture = {"type": "file", "location": "form", "description": "A picture."}
    return {
        "count": fields.Int(
            load_default=3, metadata={"description": "How many."}, validate=validate.Range(1, 9)
        ),
        "colour": fields.Str(
            load_default="red", metadata={"enum": ["red", "green"], "description": "Documented."}
        ),
        "picture": fields.Field(load_default=None, metadata=picture),
        "token": fields.Str(metadata={"location": "headers"}),
    }


def predict(**arguments):
    picture = arguments.pop("picture")
    return arguments | {"picture": picture and Path(picture.filename).read_text()}
