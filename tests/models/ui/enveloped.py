"""A model without a schema whose predictions have each JSON type."""

from webargs import fields, validate

VALUES = {"list": [1, 2], "object": {"labels": [0]}, "text": "hello", "json": '{"a": 1}', "none": None}


def get_predict_args():
    return {"kind": fields.Str(load_default="list", validate=validate.OneOf(list(VALUES)))}


def predict(kind):
    return VALUES[kind]
