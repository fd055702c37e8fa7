"""A response described by a schema class."""

import marshmallow
from marshmallow import fields


class Point(marshmallow.Schema):
    x = fields.Int(required=True)


class Response(marshmallow.Schema):
    when = fields.DateTime(required=True)
    points = fields.List(fields.Nested(Point), required=True)


schema = Response


def get_predict_args():
    return {"x": fields.Raw(load_default=1)}


def predict(x):
    return {"when": "2020-01-02T03:04:05", "points": [{"x": x}]}
