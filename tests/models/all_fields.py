"""Every field class that public models use."""

import marshmallow
from webargs import fields


class Inner(marshmallow.Schema):
    deep = fields.Int(required=True)


def get_predict_args():
    return {
        "str": fields.Str(),
        "int": fields.Int(),
        "float": fields.Float(),
        "bool": fields.Bool(),
        "url": fields.Url(),
        "list": fields.List(fields.Int()),
        "dict": fields.Dict(),
        "nested": fields.Nested(Inner),
        "raw": fields.Raw(),
        "field": fields.Field(),
        "datetime": fields.DateTime(),
        "date": fields.Date(),
        "uuid": fields.UUID(),
        "delimited": fields.DelimitedList(fields.Int()),
    }


def predict(**arguments):
    return {name: [type(value).__name__, value] for name, value in arguments.items()}
