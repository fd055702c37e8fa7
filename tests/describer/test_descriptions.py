"""Descriptions of models: the server validates with rebuilt fields as the model's own fields do."""

import datetime as dt
import decimal
import enum
import json
import pickle
import uuid
from types import SimpleNamespace
from typing import Any

import marshmallow
import pytest
import webargs.fields
from marshmallow import fields, validate
from marshmallow.fields import Field

from deepaas.describer.described_model import DescribedModel
from deepaas.describer.description import decode_description, encode_description
from deepaas.describer.introspection import describe_model
from deepaas.errors import InvalidArguments
from deepaas.model.arguments import Arguments
from deepaas.model.model import LoadedModel


class Color(enum.Enum):
    RED = "red"


class Accept(enum.StrEnum):
    PNG = "image/png"
    JSON = "application/json"


class OwnInteger(fields.Integer):
    pass


class Always(validate.Validator):
    def __call__(self, value: Any) -> Any:
        return value


PLAIN = [
    fields.Raw(),
    fields.Str(),
    fields.Str(required=True, allow_none=True),
    fields.Str(validate=[validate.Length(2, 3), validate.OneOf(["ab", "cd", "1"])]),
    fields.Str(validate=validate.NoneOf(["ab"], error="{input} is not allowed")),
    fields.Str(validate=validate.Predicate("isdecimal")),
    fields.Str(load_default="text", data_key="other"),
    fields.Int(load_default=3, validate=validate.Range(0, 10, error="from {min} to {max}")),
    fields.Int(strict=True),
    fields.Int(validate=validate.OneOf(range(1, 5))),
    fields.Float(allow_nan=True, load_default=float("nan")),
    fields.Float(validate=validate.Range(0.5, min_inclusive=False)),
    fields.Decimal(places=2, load_default=decimal.Decimal("1.25")),
    fields.Bool(load_default=False),
    fields.UUID(load_default=uuid.UUID(int=1)),
    fields.Date(load_default=dt.date(2026, 1, 2)),
    fields.Time(),
    fields.DateTime(load_default=dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC)),
    fields.DateTime(format="timestamp"),
    fields.NaiveDateTime(timezone=dt.UTC),
    fields.AwareDateTime(default_timezone=dt.timezone(dt.timedelta(hours=2))),
    fields.TimeDelta(load_default=dt.timedelta(seconds=3)),
    fields.Url(),
    fields.Email(),
    fields.IP(),
    fields.List(fields.Int(), load_default=[1, 2], validate=validate.Length(max=3)),
    fields.List(fields.List(fields.Int(validate=validate.Range(0, 5)))),
    fields.Tuple((fields.Int(), fields.Str())),
    fields.Dict(keys=fields.Str(), values=fields.Int()),
    webargs.fields.DelimitedList(fields.Int()),
    fields.Constant(7),
    fields.Str(validate=validate.And(validate.Length(1), validate.ContainsOnly("ab1"))),
]
USER_CODE = [
    fields.Nested({"a": fields.Int()}),
    fields.Function(deserialize=int),
    fields.Enum(Color),
    fields.List(fields.Nested({"a": fields.Int()})),
    fields.Int(validate=lambda value: value > 0),
    fields.Str(validate=Always()),
    fields.Str(validate=validate.Regexp("(a+)+$")),
    fields.List(fields.Int(), load_default=list),
    fields.Raw(load_default=Color.RED),
    fields.Int(validate=validate.Range(0, error="{input:>700000000}")),
    fields.Int(validate=validate.Range(0, error="at least {nothing}")),
    fields.Int(error_messages={"invalid": "{input.__class__}"}),
    OwnInteger(),
]
# fmt: off
VALUES = [
    marshmallow.missing, None, "", "ab", "cd", "1", "3", "7.5", "12", "true", "nan", "1,2", "2026-01-02",
    "03:04", "a@b.org", "2026-01-02T03:04:05", "2026-01-02T03:04:05+02:00", "http://a.org/b", "127.0.0.1",
    str(uuid.UUID(int=5)), 0, 1, 7, 11, -3, 2.5, True, [], [1], ["1", "x"], [1, "a"], [[1, 9], ["x"]], {},
    {"a": 1}, {"a": "b", "1": 2},
]
# fmt: on


def describe(**declared: Field) -> DescribedModel:
    model = LoadedModel("m", SimpleNamespace(get_predict_args=lambda: declared))
    return DescribedModel(decode_description(encode_description(describe_model(model))))


def validated(arguments: Arguments, key: str, value: Any) -> str:
    raw = {} if value is marshmallow.missing else {key: value}
    try:
        return repr(arguments.validate(raw))
    except InvalidArguments as error:
        return repr(error.messages)


@pytest.mark.parametrize("field", PLAIN, ids=lambda field: type(field).__name__)
def test_rebuilt_field_validates_like_the_original(field: Field) -> None:
    described = describe(x=field)
    assert not described.runs_user_code
    key = field.data_key or "x"
    for value in VALUES:
        expected = validated(Arguments({"x": field}), key, value)
        assert validated(described.predict_arguments, key, value) == expected, value


@pytest.mark.parametrize("field", USER_CODE, ids=lambda field: type(field).__name__)
def test_fields_that_run_user_code_are_validated_by_the_describer(field: Field) -> None:
    described = describe(x=field, y=fields.Int())
    assert described.description.predict.runs_user_code
    assert not described.description.train.runs_user_code


def test_names_and_media_types_may_be_members_of_enumerations() -> None:
    accept = fields.Str(load_default=Accept.PNG, metadata={"enum": list(Accept)})
    described = describe(**{"accept": accept, Accept.JSON: fields.Int()})
    assert described.predict_arguments.accept is not None
    assert described.predict_arguments.accept.choices == ("image/png", "application/json")
    assert [type(argument.name) for argument in described.description.predict.arguments] == [str, str]


VALID = json.loads(encode_description(describe_model(LoadedModel("m", SimpleNamespace()))))


def changed(position: int, value: Any) -> bytes:
    values = list(VALID["ModelDescription"])
    values[position] = value
    return json.dumps({"ModelDescription": values}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"7",
        b"\xff",
        pickle.dumps(ValueError),
        b'{"ModelDescription": []}',
        b'{"os.system": ["true"]}',
        b'{"a": 1, "b": 2}',
        b"[" * 100_000,
        b'{"range": [0, 1, 0]}',
        b'{"int": "x"}',
        changed(0, 7),
        changed(1, {"frozenset": [[]]}),
        changed(3, "predict"),
        changed(7, {"tuple": [1]}),
        b" " * ((16 << 20) + 1),
    ],
    ids=lambda content: str(content[:30]),
)
def test_invalid_description_is_rejected(content: bytes) -> None:
    with pytest.raises(ValueError, match="description"):
        decode_description(content)


def test_state_that_would_replace_a_method_is_rejected() -> None:
    description = describe(x=fields.Int()).description
    argument = description.predict.arguments[0]
    state = argument.field._replace(attributes={**argument.field.attributes, "deserialize": 1})
    changed = description.predict._replace(arguments=(argument._replace(field=state),))
    with pytest.raises(ValueError, match="cannot have these attributes"):
        DescribedModel(description._replace(predict=changed))
