"""Arguments without a server: collecting, validating, masking, and reading declarations."""

import tracemalloc
import warnings
from typing import Any

import marshmallow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import validate
from marshmallow.fields import Field
from webargs import fields

from deepaas.errors import InvalidArguments
from deepaas.model.arguments import AcceptArgument, Arguments, ArgumentSources
from deepaas.model.fields import get_documented_choices
from deepaas.model.v2.wrapper import UploadedFile

FILE = {"type": "file", "location": "form"}
UPLOAD = UploadedFile("f", "/tmp/0.png", "image/png", "a.png")


class Broken(Field):
    """A model author's field with a bug."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        raise ValueError("my mistake")


def old(field: type[Field], **spelling: Any) -> Field:
    """Return a field in the deprecated spelling, without marshmallow's warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return field(**spelling)


def problems(declared: dict[str, Field], raw: dict[str, Any]) -> dict[str, Any]:
    """Return the validation errors of raw values."""
    with pytest.raises(InvalidArguments) as raised:
        Arguments(declared).validate(raw)
    return raised.value.messages


def test_precedence() -> None:
    """The query takes precedence over the form, and the form over the JSON body."""
    arguments = Arguments({"a": fields.Str()})
    given_ = ArgumentSources({"a": ["query"]}, {"a": ["form"]}, {"a": "json"}, {"a": "header"})
    assert arguments.collect(given_) == {"a": "query"}
    assert arguments.collect(given_._replace(query={})) == {"a": "form"}
    assert arguments.collect(given_._replace(query={}, form={})) == {"a": "json"}
    assert arguments.collect(given_._replace(query={}, form={}, json={})) == {}


def test_headers() -> None:
    """A header argument is not taken from the query."""
    arguments = Arguments({"a": fields.Str(metadata={"location": "headers"})})
    given_ = ArgumentSources({"a": ["query"]}, {}, {}, {"a": "header"})
    assert arguments.collect(given_) == {"a": "header"}
    assert arguments.collect(given_._replace(headers={})) == {}


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_name(name: str, value: str) -> None:
    arguments = Arguments({name: fields.Str(), "other." + name: fields.Str(load_default="x")})
    raw = arguments.collect(ArgumentSources({name: [value]}))
    assert arguments.validate(raw) == {name: value, "other." + name: "x"}


@given(st.lists(st.text(), min_size=1))
def test_lists(values: list[str]) -> None:
    """Repeated values are a list, unless a single value is a JSON array."""
    arguments = Arguments({"a": fields.List(fields.Str())})
    if len(values) > 1 or not values[0].lstrip().startswith("["):
        assert arguments.validate(arguments.collect(ArgumentSources({"a": values}))) == {"a": values}


def test_error_that_marshmallow_lets_pass() -> None:
    """A ValueError inside marshmallow is a validation error."""
    period = fields.TimeDelta(serialization_type=float)
    assert problems({"period": period}, {"period": "nan"}) == {
        "period": ["cannot convert float NaN to integer"]
    }


def test_error_of_an_own_field() -> None:
    """A bug in a model author's field is not reported as an invalid value."""
    with pytest.raises(ValueError, match="my mistake"):
        Arguments({"broken": Broken()}).validate({"broken": 1})


@pytest.mark.parametrize(
    "field",
    [
        old(fields.Field, metadata=FILE),
        fields.Raw(metadata=FILE),
        fields.Str(metadata=FILE),
        old(fields.Field, type="file", location="form"),
        old(fields.Str, type="file", location="form"),
    ],
)
def test_files(field: Field) -> None:
    """Only uploads are valid for a file argument, whatever its field class."""
    arguments = Arguments({"f": field})
    assert arguments.validate(arguments.collect(ArgumentSources(form={"f": [UPLOAD]}))) == {"f": UPLOAD}
    assert list(problems({"f": field}, {"f": "text"})) == ["f"]


@pytest.mark.parametrize(
    "field", [fields.List(old(fields.Field, metadata=FILE)), fields.List(fields.Str(), metadata=FILE)]
)
def test_lists_of_files(field: Field) -> None:
    arguments = Arguments({"f": field})
    raw = arguments.collect(ArgumentSources(form={"f": [UPLOAD, UPLOAD]}))
    assert arguments.validate(raw) == {"f": [UPLOAD, UPLOAD]}
    assert list(problems({"f": field}, {"f": ["text"]})) == ["f"]


@pytest.mark.parametrize("spelling", [{"metadata": FILE, "load_default": None}, {"missing": None, **FILE}])
def test_default_of_a_file(spelling: dict[str, Any]) -> None:
    assert Arguments({"f": old(fields.Field, **spelling)}).validate({}) == {"f": None}


def test_rules_of_a_file() -> None:
    """A file argument keeps required, validators and data_key."""

    def refuse(value: object) -> None:
        raise marshmallow.ValidationError(f"refused {type(value).__name__}")

    field = fields.Str(required=True, data_key="a-file", validate=refuse, metadata=FILE)
    assert problems({"f": field}, {}) == {"a-file": ["Missing data for required field."]}
    assert problems({"f": field}, {"a-file": UPLOAD}) == {"a-file": ["refused UploadedFile"]}


@pytest.mark.parametrize(
    ("field", "accept"),
    [
        (
            fields.Str(validate=validate.OneOf(["a/b", "c/d"])),
            AcceptArgument("accept", ("a/b", "c/d"), "a/b"),
        ),
        (
            fields.Str(load_default="c/d", validate=[validate.OneOf(("a/b", "c/d"))]),
            AcceptArgument("accept", ("a/b", "c/d"), "c/d"),
        ),
        (
            old(fields.Str, missing="c/d", validate=validate.OneOf(["a/b"])),
            AcceptArgument("accept", ("a/b",), "c/d"),
        ),
        (fields.Str(), AcceptArgument("accept", (), None)),
    ],
)
def test_accept(field: Field, accept: AcceptArgument) -> None:
    """Choices and default come from the field `accept`."""
    assert Arguments({"accept": field}).accept == accept


def test_no_accept() -> None:
    assert Arguments({"other": fields.Str()}).accept is None


def test_fields_are_left_as_they_were() -> None:
    """Bound fields of a schema can be reused, and keep their parent."""

    class Declared(marshmallow.Schema):
        f = old(fields.Field, metadata=FILE)
        dotted = fields.Int()

    declared = Declared().fields
    for _ in range(2):
        assert Arguments(declared).validate({"f": UPLOAD, "dotted": "1"}) == {"f": UPLOAD, "dotted": 1}
    assert declared["dotted"].parent.__class__ is Declared


def test_nested_problems() -> None:
    nested = {"n": fields.Nested({"deep": fields.Int()}), "l": fields.List(fields.Int())}
    assert problems(nested, {"n": {"deep": "x"}, "l": ["1", "x"]}) == {
        "n": {"deep": ["Not a valid integer."]},
        "l": {1: ["Not a valid integer."]},
    }


@pytest.mark.parametrize(
    ("enum", "choices"),
    [
        (["b", "a", "b"], ["b", "a"]),
        ("abc", ["abc"]),
        (b"abc", [b"abc"]),
        (3, [3]),
        ({"b", "a"}, ["a", "b"]),
        ({"a": "first", "b": "second"}, ["a", "b"]),
        ([[1], [1]], [[1]]),
        (iter("abc"), []),
        ([], []),
        (None, []),
    ],
)
def test_documented_choices(enum: Any, choices: list[Any]) -> None:
    """Choices have no duplicates; a string is a single choice."""
    assert get_documented_choices(fields.Raw(metadata={"enum": enum})) == choices


def test_masked() -> None:
    """Passwords are masked at any depth; other values stay."""
    password = fields.Str(metadata={"format": "password"})
    login = {"user": fields.Str(), "password": password}
    arguments = Arguments(
        {
            "key": password,
            "keys": fields.List(password),
            "login": fields.Nested(marshmallow.Schema.from_dict(login)),
            "logins": fields.List(fields.Nested(marshmallow.Schema.from_dict(login))),
            "by_host": fields.Dict(fields.Str(), password),
            "name": fields.Str(),
        }
    )
    given = {"user": "me", "password": "hidden"}
    validated = arguments.validate(
        {"key": "hidden", "keys": ["hidden"], "login": given, "logins": [given], "by_host": {"a": "hidden"}}
        | {"name": "shown"}
    )
    shown = {"user": "me", "password": "********"}
    assert arguments.mask_passwords(validated) == {
        "key": "********",
        "keys": ["********"],
        "login": shown,
        "logins": [shown],
        "by_host": "********",
        "name": "shown",
    }
    assert validated["login"] == given
    assert arguments.has_password(validated)
    assert not arguments.has_password({"key": None, "name": "shown"})


def test_schema_that_nests_itself() -> None:
    """The search for passwords terminates, and finds those at every level."""

    class Node(marshmallow.Schema):
        secret = fields.Str(metadata={"format": "password"})
        below = fields.Nested(lambda: Node())  # noqa: PLW0108 - the name comes later

    arguments = Arguments({"root": fields.Nested(Node)})
    validated = arguments.validate({"root": {"secret": "a", "below": {"secret": "b"}}})
    expected = {"secret": "********", "below": {"secret": "********"}}
    assert arguments.mask_passwords(validated)["root"] == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (fields.List(fields.Int()), ["x"] * 300_000),
        (fields.DelimitedList(fields.Int()), "x," * 300_000),
        (fields.List(fields.List(fields.Int())), [["x"] * 300_000]),
        (fields.Dict(values=fields.Int()), dict.fromkeys(map(str, range(5_000)), "x")),
    ],
)
def test_many_problems(field: fields.Field, value: object) -> None:
    """Only the first errors are reported, with a note that there are more, in little memory."""
    arguments = Arguments({"numbers": field})
    tracemalloc.start()
    try:
        with pytest.raises(InvalidArguments) as refused:
            arguments.validate({"numbers": value})
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    told = refused.value.messages["numbers"]
    told = told[0] if isinstance(told.get(0), dict) else told
    assert told.pop("all") == ["More than 100 errors."]
    assert len(told) == 100
    assert "Not a valid integer." in str(told)
    assert peak_bytes < 30 << 20


def test_message_of_nested_problems() -> None:
    """The exception's text is one line of plain words, also for an error inside a list."""
    with pytest.raises(InvalidArguments) as refused:
        Arguments({"sizes": fields.List(fields.Int()), "top": fields.Int()}).validate(
            {"sizes": [1, "x"], "top": "y"}
        )
    assert (
        str(refused.value) == "Invalid arguments: sizes: 1: Not a valid integer.; top: Not a valid integer."
    )
