"""Arguments whose default is null."""

from marshmallow import validate
from webargs import fields


def get_predict_args():
    return {
        "number": fields.Int(load_default=None),
        "choice": fields.Str(
            load_default=None, validate=validate.OneOf(["a", "b"]), metadata={"enum": ["a", "b"]}
        ),
        "numbers": fields.List(fields.Int(), load_default=None),
        "delimited": fields.DelimitedList(fields.Int(), load_default=None),
        "table": fields.Dict(load_default=None),
        "X-Word": fields.Str(load_default=None, metadata={"location": "headers"}),
        "picture": fields.Field(load_default=None, metadata={"type": "file", "location": "form"}),
    }


def predict(**arguments):
    return arguments
