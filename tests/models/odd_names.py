"""Arguments whose names are not Python identifiers."""

from marshmallow import fields


def get_predict_args():
    names = [
        "demo-image",
        "bbox(N,W,S,E)",
        "a.dot",
        "a.",
        "self",
        "class",
        "two words",
        "größe",
        "from_attributes",
    ]
    return {name: fields.Str() for name in names} | {"required.dot": fields.Int(required=True)}


def predict(**arguments):
    return arguments
