"""Every field class, and every validator that OpenAPI can express."""

import enum

import marshmallow
from marshmallow import validate
from webargs import fields

import deepaas
from models.all_fields import get_predict_args as seen_in_public


class Inner(marshmallow.Schema):
    # A field that is not strict also accepts 1.5 and "1" in JSON; the document does not say so.
    deep = fields.Int(required=True, strict=True)


class Plain(marshmallow.Schema):
    value = fields.Int()


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


def get_predict_args():
    return seen_in_public() | {
        "time": fields.Time(),
        "period": fields.TimeDelta(),
        "share_of_days": fields.TimeDelta(precision="days", serialization_type=float),
        "naive": fields.NaiveDateTime(),
        "aware": fields.AwareDateTime(),
        "timestamp": fields.DateTime(format="timestamp"),
        "decimal": fields.Decimal(),
        "email": fields.Email(),
        "any_url": fields.Url(relative=True, require_tld=False),
        "ip": fields.IP(),
        "ipv4": fields.IPv4(),
        "ipv6": fields.IPv6(),
        "interface": fields.IPInterface(),
        "interface4": fields.IPv4Interface(),
        "interface6": fields.IPv6Interface(),
        "enum": fields.Enum(Colour, by_value=True),
        "enum_by_name": fields.Enum(Colour),
        "nested": fields.Nested(Inner),
        "constant": fields.Constant(1),
        "function": fields.Function(deserialize=lambda value: value),
        "tuple": fields.Tuple((fields.Str(), fields.Str())),
        "mapping": fields.Dict(
            keys=fields.Str(validate=validate.Length(max=4)), values=fields.Int(strict=True)
        ),
        "many": fields.Nested(Inner, many=True),
        "pluck": fields.Pluck(Plain, "value"),
        "lists": fields.List(fields.List(fields.Str())),
        "delimited_texts": fields.DelimitedList(fields.Str(), delimiter="|"),
        "nullable": fields.Int(allow_none=True, load_default=None),
        "renamed": fields.Str(data_key="other-name"),
        "head": fields.Str(metadata={"location": "headers"}),
        "needed": fields.Int(required=True),
        "range": fields.Int(validate=validate.Range(1, 9)),
        "open_range": fields.Float(validate=validate.Range(0, 1, min_inclusive=False, max_inclusive=False)),
        "length": fields.Str(validate=validate.Length(2, 4)),
        "few": fields.List(fields.Int(), validate=validate.Length(max=2)),
        "small": fields.Dict(validate=validate.Length(max=2)),
        "choice": fields.Str(validate=validate.OneOf(["a", "b"])),
        "choices": fields.List(fields.Str(), validate=validate.ContainsOnly(["a", "b"])),
        "refused": fields.Str(validate=validate.NoneOf(["a", "b"])),
        "equal": fields.Int(validate=validate.Equal(3)),
        "pattern": fields.Str(validate=validate.Regexp(r"\d{2,3}|[a-c]+\Z")),
        "documented": fields.Str(metadata={"enum": ["a", "b"]}),
    }


def predict(**arguments):
    return {name: [type(value).__name__, value] for name, value in arguments.items()}


def get_train_args():
    return {
        "steps": fields.Int(load_default=1, validate=validate.Range(1, 3)),
        "nested": fields.Nested(Inner),
        "when": fields.DateTime(),
    }


def train(**arguments):
    print(f"epoch 1/1 - loss: {arguments['steps']}")
    (deepaas.artifacts() / "left.txt").write_text("left")
    return arguments
