"""A model with an argument of every kind, which returns its arguments."""

from pathlib import Path

import marshmallow
from webargs import fields, validate

FILE = {"type": "file", "location": "form"}


class Box(marshmallow.Schema):
    left = fields.Int(required=True)


def get_predict_args():
    return {
        "text": fields.Str(required=True, metadata={"description": "Any text."}),
        "preset": fields.Str(load_default="as it was"),
        "whole": fields.Int(load_default=3, validate=validate.Range(1, 9)),
        "share": fields.Float(load_default=0.003, validate=validate.Range(0.00001, 0.1)),
        "free": fields.Float(),
        "at_least": fields.Int(validate=validate.Range(min=5)),
        "strict": fields.Int(strict=True),
        "on": fields.Bool(load_default=True),
        "perhaps": fields.Bool(),
        "colour": fields.Str(load_default="red", validate=validate.OneOf(["red", "green"])),
        "number_of": fields.Int(validate=validate.OneOf([10, 20])),
        "several": fields.List(fields.Str(validate=validate.OneOf(["a", "b", "c"])), load_default=["b"]),
        "day": fields.Date(load_default=None),
        "moment": fields.DateTime(),
        "time": fields.Time(metadata={"format": "time"}),
        "numbers": fields.List(fields.Int(), load_default=[1, 2]),
        "lines": fields.List(fields.Str()),
        "delimited": fields.DelimitedList(fields.Int()),
        "structure": fields.Dict(),
        "box": fields.Nested(Box),
        "anything": fields.Raw(),
        "password": fields.Str(),
        "key": fields.Str(metadata={"format": "password"}),
        "page": fields.Url(),
        "odd name (N,S)": fields.Int(),
        "X-Note": fields.Str(metadata={"location": "headers"}),
        "picture": fields.Field(metadata=FILE),
        "files": fields.List(fields.Field(metadata=FILE)),
    }


def predict(**given):
    return {name: shown(value) for name, value in given.items()}


def shown(value):
    if hasattr(value, "filename"):
        return f"{value.original_filename}: {len(Path(value.filename).read_bytes())} bytes"
    return [shown(item) for item in value] if isinstance(value, list) else value
