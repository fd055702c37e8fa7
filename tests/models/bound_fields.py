"""Arguments that are the bound fields of a schema."""

import marshmallow
from webargs import fields


class Arguments(marshmallow.Schema):
    class Meta:
        ordered = True

    first = fields.Int(required=True)
    picture = fields.Field(metadata={"type": "file", "location": "form"})
    second = fields.Str(load_default="two", data_key="zweitens")


def get_predict_args():
    return Arguments().fields


def predict(**arguments):
    return {name: str(value) for name, value in arguments.items()}
