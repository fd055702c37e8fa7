"""The description of a model, as plain data: what the server knows about it."""

import datetime as dt
import decimal
import math
import uuid
from collections.abc import Callable, Mapping
from json import dumps, loads
from typing import Any, NamedTuple

from deepaas.model.arguments import AcceptArgument

Schema = dict[str, Any]
"""A JSON Schema."""
DESCRIBE = "describe"
GET_METADATA = "get_metadata"
"""Calls that the describer answers. A call of predict or train only validates its arguments."""
SPECIFICATION_VERSIONS = ("2.0", "3.1.0")
"""Versions of the OpenAPI specification for which a description has schemas."""
MAX_BYTES = 16 << 20
"""Maximum size of a description, and of metadata."""


class ObjectState(NamedTuple):
    """A field or validator of marshmallow or webargs: the path of its class, and its attributes.

    The attributes are plain values, or states.
    """

    class_path: str
    attributes: Mapping[str, Any]


class ArgumentDescription(NamedTuple):
    """One argument: its field, and how the API documents publish it.

    `name` is the keyword argument of the function, `key` the name in requests. `schemas` has a JSON Schema
    for each of `SPECIFICATION_VERSIONS`. If `is_structure`, a parameter of a URL cannot hold the value, or
    the items of a list. `delimiter` separates the items of a list that is sent as one text.
    """

    name: str
    key: str
    field: ObjectState
    schemas: Mapping[str, Schema]
    text: str
    is_required: bool
    is_header: bool
    has_null_default: bool
    is_file: bool
    is_list: bool
    is_tuple: bool
    is_structure: bool
    delimiter: str | None


class FunctionDescription(NamedTuple):
    """The arguments of a function.

    `accept` is the argument with the media types of predictions, if it is declared. If `runs_user_code`,
    validation runs code of the model author: the describer validates, and the fields only show how a request
    sends the values.
    """

    arguments: tuple[ArgumentDescription, ...] = ()
    accept: AcceptArgument | None = None
    runs_user_code: bool = False


class ModelDescription(NamedTuple):
    """A model. `functions` are the names of the functions that it implements.

    `prediction_schemas` has a JSON Schema of predictions for each of `SPECIFICATION_VERSIONS`, if the model
    declares one; `components` has the named schemas that all schemas refer to. `findings` are mistakes in the
    model's functions, for the log.
    """

    name: str
    functions: frozenset[str]
    predict_is_generator: bool
    predict: FunctionDescription
    train: FunctionDescription
    prediction_schemas: Mapping[str, Schema] | None
    components: Mapping[str, Mapping[str, Schema]]
    findings: tuple[str, ...] = ()


def is_plain(value: Any) -> bool:
    """Return whether the value consists of built-in types and of types of the standard library only."""
    if type(value) in (list, tuple, set, frozenset):
        return all(map(is_plain, value))
    if type(value) is dict:
        return all(map(is_plain, value)) and all(map(is_plain, value.values()))
    return type(value) in (type(None), bool, int, float, str) or type(value) in _TAGS


def encode_description(description: ModelDescription) -> bytes:
    """Encode a description as JSON. Raise `ValueError` if it is too large, or holds other than plain data."""
    content = dumps(_to_json(description), allow_nan=False).encode("utf-8", "surrogatepass")
    if len(content) > MAX_BYTES:
        raise ValueError(f"the description of the model has more than {MAX_BYTES} bytes")
    return content


def decode_description(content: bytes) -> ModelDescription:
    """Decode a description. Raise `ValueError` if it is invalid: it comes from a process with user code."""
    if len(content) > MAX_BYTES:
        raise ValueError(f"the describer sent a description of more than {MAX_BYTES} bytes")
    try:
        description = _from_json(loads(content.decode("utf-8", "surrogatepass")))
        _check_types(description, ModelDescription)
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"the describer sent an invalid description: {error!r}") from error
    return description  # type: ignore[no-any-return]  # checked


def _to_json(value: Any) -> Any:
    """Return JSON values: an object has one key, the tag of the type of its value."""
    if value is None or type(value) is bool:
        return value
    if isinstance(value, str):
        return str.__str__(value)  # an argument's name may be a member of an enumeration
    if type(value) is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if type(value) is int:
        return value if -_MAX_JSON_INT <= value <= _MAX_JSON_INT else {"int": hex(value)}
    if type(value) is list:
        return [_to_json(item) for item in value]
    try:
        tag, dump, _ = _TAGS[type(value)]
    except KeyError:
        raise ValueError(f"a {type(value).__name__} is not plain data") from None
    return {tag: _to_json(dump(value))}


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((tag, content),) = value.items()
    return _LOADERS[tag](_from_json(content))


def _check_types(described: Any, expected: type[Any]) -> None:
    """Raise `TypeError` unless the parts that the server relies on have the right types."""
    if not isinstance(described, expected):
        raise TypeError(f"{type(described).__name__} instead of {expected.__name__}")
    for name, value in described._asdict().items():
        kind = _FIELD_TYPES.get(name, str)
        if not isinstance(value, kind):
            raise TypeError(f"{name} is of type {type(value).__name__}")
    if isinstance(described, ModelDescription):
        _check_types(described.predict, FunctionDescription)
        _check_types(described.train, FunctionDescription)
        if not all(isinstance(finding, str) for finding in described.findings):
            raise TypeError("a finding is no text")
    if isinstance(described, FunctionDescription):
        for argument in described.arguments:
            _check_types(argument, ArgumentDescription)


_FIELD_TYPES: dict[str, Any] = {
    **dict.fromkeys(("predict", "train"), FunctionDescription),
    **dict.fromkeys(("arguments", "findings"), tuple),
    **dict.fromkeys(("schemas", "components"), dict),
    "prediction_schemas": dict | None,
    "functions": frozenset,
    "accept": AcceptArgument | None,
    "field": ObjectState,
    "delimiter": str | None,
    **dict.fromkeys(
        (
            "predict_is_generator",
            "runs_user_code",
            "is_required",
            "is_header",
            "has_null_default",
            "is_file",
            "is_list",
            "is_tuple",
            "is_structure",
        ),
        bool,
    ),
}


def _dump_timezone(zone: dt.timezone) -> list[Any]:
    offset = zone.utcoffset(None)
    is_named = zone.tzname(None) != dt.timezone(offset).tzname(None)
    return [offset.total_seconds(), *([zone.tzname(None)] if is_named else [])]


def _load_timezone(content: Any) -> dt.timezone:
    return dt.timezone(dt.timedelta(seconds=content[0]), *content[1:])


_MAX_JSON_INT = 1 << 53
_Tag = tuple[str, Callable[[Any], Any], Callable[[Any], Any]]
_TAGS: dict[type, _Tag] = {
    dict: ("dict", lambda value: [[key, item] for key, item in value.items()], dict),
    tuple: ("tuple", list, tuple),
    set: ("set", list, set),
    frozenset: ("frozenset", list, frozenset),
    bytes: ("bytes", bytes.hex, bytes.fromhex),
    dt.datetime: ("datetime", dt.datetime.isoformat, dt.datetime.fromisoformat),
    dt.date: ("date", dt.date.isoformat, dt.date.fromisoformat),
    dt.time: ("time", dt.time.isoformat, dt.time.fromisoformat),
    dt.timedelta: (
        "timedelta",
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda content: dt.timedelta(*content),
    ),
    dt.timezone: ("timezone", _dump_timezone, _load_timezone),
    decimal.Decimal: ("decimal", str, decimal.Decimal),
    uuid.UUID: ("uuid", str, uuid.UUID),
    range: (
        "range",
        lambda value: [value.start, value.stop, value.step],
        lambda content: range(*content),
    ),
    **{
        kind: (kind.__name__, list, kind._make)
        for kind in (
            AcceptArgument,
            ObjectState,
            ArgumentDescription,
            FunctionDescription,
            ModelDescription,
        )
    },
}
_LOADERS: dict[str, Callable[[Any], Any]] = {
    **{tag: load for tag, _, load in _TAGS.values()},
    "float": float,
    "int": lambda text: int(text, 16),
}
