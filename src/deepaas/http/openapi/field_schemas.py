"""What a field says of the values it takes, as JSON Schema: what apispec reads off it, and the rest."""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Any

import marshmallow
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import fields, validate
from marshmallow.fields import Field

from deepaas.http.openapi.schemas import Schema
from deepaas.log import get_logger
from deepaas.model.arguments import get_field_delimiter
from deepaas.model.failures import describe_exception

_log = get_logger(__name__)

X_NULL_DEFAULT: Schema = {"x-default": None}
"""A default of null where `default` cannot be null, because it has to fit the type.

No type of Swagger 2.0 has null (https://swagger.io/specification/v2/#parameter-object), nor has a file.
"""
_NON_NULL_TYPES = ["string", "number", "boolean", "array", "object"]
_PYTHON_TO_ECMASCRIPT = {r"\A": "^", r"\Z": "$", "(?P<": "(?<"}
_HOST_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_TIME_PATTERN = r"^([01]?\d|2[0-3]):[0-5]?\d(:[0-5]?\d(\.\d{1,6})?)?$"
_MAX_TIMESTAMP_S = 253402300799  # of the year 9999, since the epoch
_TIMESTAMP_UNITS = {"timestamp": 1, "timestamp_ms": 1000}
_MAX_TIMEDELTA = dt.timedelta(days=999_999_999)


class FieldSchemas:
    """Reads fields for one version of the specification."""

    def __init__(self, converter: OpenAPIConverter) -> None:
        self._converter = converter
        readers = [
            *_CONVERTERS,
            *(
                _CONVERTERS_OPENAPI31
                if converter.openapi_version.major >= _OPENAPI_3
                else _CONVERTERS_SWAGGER20
            ),
        ]
        for reader in readers:
            converter.add_attribute_function(reader)  # type: ignore[no-untyped-call]  # apispec's

    def describe_field(self, field: Field) -> Schema:
        """Return the schema of a field's values; nothing for a field that cannot be described."""
        try:
            return dict(self._converter.field2property(field))
        except Exception as error:  # noqa: BLE001 - the field may be the author's, and do anything
            return _log_undescribed(field, error)

    def describe_schema(self, schema: marshmallow.Schema) -> Schema:
        """Return the schema of what a marshmallow schema takes; nothing where it cannot be described."""
        try:
            return dict(self._converter.schema2jsonschema(schema))  # type: ignore[no-untyped-call]  # apispec's
        except Exception as error:  # noqa: BLE001 - likewise
            return _log_undescribed(schema, error)


def remove_null(schema: Schema) -> Schema:
    """Return the schema of a value that is sent as a text, which cannot be null."""
    found = {key: value for key, value in schema.items() if key != "x-nullable"}
    if found.get("default", ...) is None:
        del found["default"]
    if "enum" in found:
        found["enum"] = [choice for choice in found["enum"] if choice is not None]
    if isinstance(found.get("type"), list):
        types = [one for one in found["type"] if one != "null"]
        found["type"] = types[0] if len(types) == 1 else types
    return found


def add_null_default(schema: Schema) -> Schema:
    """Return the schema with null as its default, which has to fit the schema."""
    found = schema | {"default": None}
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        found["type"] = [*types, *({"null"} - {*types})]
    if "enum" in schema:
        found["enum"] = [*(choice for choice in schema["enum"] if choice is not None), None]
    return found


def _log_undescribed(subject: object, error: Exception) -> Schema:
    _log.warning("A %s cannot be described: %s", type(subject).__name__, describe_exception(error))
    return {}


def _convert_times(_: Any, field: Field, ret: Schema) -> Schema:
    """Say how dates and times are written, where apispec leaves it open."""
    if not isinstance(field, fields.DateTime):
        return {}
    for key in ("format", "pattern"):
        if key in ret and ret[key] is None:
            del ret[key]
    if field.format in _TIMESTAMP_UNITS:
        del ret["min"]  # which is no word of JSON Schema
        last = _MAX_TIMESTAMP_S * _TIMESTAMP_UNITS[field.format]
        return {"format": "double", "example": last // 2, "minimum": 0, "maximum": last}
    return _convert_local_times(field) if field.format in (None, "iso", "iso8601") else {}


def _convert_local_times(field: fields.DateTime) -> Schema:
    if isinstance(field, fields.Time):
        return {"format": "time-local", "pattern": _TIME_PATTERN}
    is_naive = isinstance(field, fields.NaiveDateTime) and field.timezone is None
    return {"format": "date-time-local"} if is_naive or _has_naive_default(field) else {}


def _has_naive_default(field: fields.DateTime) -> bool:
    """Return whether the default is a time without a zone, which the format `date-time` does not allow."""
    default = field.load_default
    return isinstance(default, dt.datetime) and default.tzinfo is None


def _convert_periods(_: Any, field: Field, ret: Schema) -> Schema:
    """Bound a period by the longest that there is, unless the author does."""
    if not isinstance(field, fields.TimeDelta):
        return {}
    most = _MAX_TIMEDELTA // dt.timedelta(**{field.precision: 1})
    return {"minimum": ret.get("minimum", -most), "maximum": ret.get("maximum", most)}


def _convert_urls(_: Any, field: Field, **__: Any) -> Schema:
    """Say which addresses are taken."""
    found = [validator for validator in field.validators if isinstance(validator, validate.URL)]
    return {"pattern": _build_url_pattern(found[0])} if found else {}


def _build_url_pattern(validator: validate.URL) -> str:
    schemes = "|".join(sorted(map(re.escape, validator.schemes)))
    hosts = [
        rf"({_HOST_LABEL}\.)+[A-Za-z0-9-]{{2,}}\.?",
        "localhost",
        r"\d{1,3}(\.\d{1,3}){3}",
        r"\[[A-Fa-f0-9:]*:[A-Fa-f0-9:]+\]",
    ]
    if not validator.require_tld:
        hosts.append(rf"{_HOST_LABEL}\.?")
    user = r"([A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@"
    absolute = rf"({schemes})://({user})?({'|'.join(hosts)})(:\d+)?"
    below = r"[/?][^\s]*"
    forms = ([f"{absolute}({below})?"] if validator.absolute else []) + (
        [below] if validator.relative else []
    )
    return f"^({'|'.join(forms)})$"


def _convert_patterns(_: Any, field: Field, **__: Any) -> Schema:
    """Anchor a regular expression as Python's `match` does, and spell it as JavaScript has it."""
    for validator in field.validators:
        regex = getattr(validator, "regex", None)
        if isinstance(regex, re.Pattern) and isinstance(regex.pattern, str):
            pattern = regex.pattern
            for ours, theirs in _PYTHON_TO_ECMASCRIPT.items():
                pattern = pattern.replace(ours, theirs)
            return {
                "pattern": pattern if pattern.startswith("^") and "|" not in pattern else f"^(?:{pattern})"
            }
    return {}


def _convert_lengths(_: Any, __: Field, ret: Schema) -> Schema:
    """Call the length of what is no text by its name."""
    plural = {"object": "Properties", "array": "Items"}.get(str(ret.get("type")))
    if plural is None:
        return {}
    return {f"{end}{plural}": ret.pop(f"{end}Length") for end in ("min", "max") if f"{end}Length" in ret}


def _convert_item_choices(_: Any, field: Field, ret: Schema) -> Schema:
    """Let the choices of a list be those of its items."""
    if not isinstance(field, fields.List) or "enum" not in ret:
        return {}
    # apispec adds null to the choices where the list may be null; its items may not.
    choices = [choice for choice in ret.pop("enum") if choice is not None]
    return {"items": ret["items"] | {"enum": choices}}


def _convert_structures(converter: OpenAPIConverter, field: Field, ret: Schema) -> Schema:
    """Describe the structures that apispec does not know."""
    if isinstance(field, fields.Tuple):
        inner = [converter.field2property(one) for one in field.tuple_fields]
        is_alike = all(one == inner[0] for one in inner[1:])
        items = inner[0] if inner and is_alike else {}
        return {"type": "array", "items": items, "minItems": len(inner), "maxItems": len(inner)}
    if isinstance(field, fields.Mapping) and "type" not in ret:
        values = converter.field2property(field.value_field) if field.value_field else {}
        return {"type": "object", "additionalProperties": values}
    return {}


def _convert_enums(_: Any, field: Field, ret: Schema) -> Schema:
    """Say the type of an enumeration's values, where they are all texts."""
    is_open = isinstance(field, fields.Enum) and "type" not in ret
    return {"type": "string"} if is_open and all(isinstance(one, str) for one in ret["enum"]) else {}


def _convert_interfaces(_: Any, field: Field, **__: Any) -> Schema:
    """Name an address with a network."""
    if not isinstance(field, fields.IPInterface):
        return {}
    kind = {fields.IPv4Interface: "ipv4", fields.IPv6Interface: "ipv6"}.get(type(field), "ip")
    return {"type": "string", "format": f"{kind}-interface"}


def _convert_defaults(_: Any, field: Field, ret: Schema) -> Schema:
    """Show the default of a delimited list as the list it is."""
    delimiter = get_field_delimiter(field)
    default = ret.get("default")
    return {"default": default.split(delimiter)} if delimiter and isinstance(default, str) else {}


def _iterate_exclusive_bounds(field: Field) -> Iterator[tuple[str, Any]]:
    for validator in field.validators:
        if isinstance(validator, validate.Range):
            if validator.min is not None and not validator.min_inclusive:
                yield "minimum", validator.min
            if validator.max is not None and not validator.max_inclusive:
                yield "maximum", validator.max


def _convert_bounds_swagger20(_: Any, field: Field, ret: Schema) -> Schema:
    return {
        f"exclusive{end.title()}": True
        for end, bound in _iterate_exclusive_bounds(field)
        if ret.get(end) == bound
    }


def _convert_bounds_openapi31(_: Any, field: Field, ret: Schema) -> Schema:
    return {
        f"exclusive{end.title()}": ret.pop(end)
        for end, bound in _iterate_exclusive_bounds(field)
        if ret.get(end) == bound
    }


def _convert_tuples_openapi31(converter: OpenAPIConverter, field: Field, **_: Any) -> Schema:
    if not isinstance(field, fields.Tuple):
        return {}
    return {"prefixItems": [converter.field2property(inner) for inner in field.tuple_fields]}


def _convert_keys_openapi31(converter: OpenAPIConverter, field: Field, **_: Any) -> Schema:
    key_field = field.key_field if isinstance(field, fields.Mapping) else None
    return {"propertyNames": converter.field2property(key_field)} if key_field else {}


def _convert_choices_openapi31(_: Any, field: Field, ret: Schema) -> Schema:
    """Show choices that the author only documents as examples, since others are taken, too."""
    excluded = [
        choice for one in field.validators if isinstance(one, validate.NoneOf) for choice in one.iterable
    ]
    refused: Schema = {"not": {"enum": excluded}} if excluded else {}
    is_enforced = isinstance(field, fields.Enum) or any(
        isinstance(validator, validate.OneOf | validate.Equal) for validator in field.validators
    )
    if "enum" in field.metadata and not is_enforced and "enum" in ret:
        return refused | {"examples": list(ret.pop("enum"))}
    return refused


def _convert_null_choices_openapi31(_: Any, field: Field, ret: Schema) -> Schema:
    """Make null a choice where it is allowed, as apispec does, but not with choices from the metadata."""
    is_lacking = field.allow_none and "enum" in ret and None not in ret["enum"]
    return {"enum": [*ret["enum"], None]} if is_lacking else {}


def _convert_addresses_openapi31(_: Any, __: Field, ret: Schema) -> Schema:
    """Name the formats of addresses as JSON Schema does."""
    if ret.get("format") == "url":
        return {"format": "uri"}
    if ret.get("format") == "ip":
        del ret["format"]
        return {"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
    return {}


def _convert_nulls_openapi31(_: Any, field: Field, ret: Schema) -> Schema:
    """Say that a field of any type takes no null, unless it does."""
    says_something = {"type", "$ref", "anyOf", "allOf", "enum"} & set(ret)
    if field.allow_none or says_something or isinstance(field, fields.Constant):
        return {}
    # openapi-python-client 0.29 leaves out an operation that has an array without items.
    return {"type": _NON_NULL_TYPES, "items": {}}


_AttributeConverter = Callable[..., Schema]
_OPENAPI_3 = 3
_CONVERTERS: list[_AttributeConverter] = [
    _convert_times,
    _convert_periods,
    _convert_urls,
    _convert_patterns,
    _convert_structures,
    _convert_enums,
    _convert_lengths,
    _convert_item_choices,
    _convert_interfaces,
    _convert_defaults,
]
_CONVERTERS_SWAGGER20: list[_AttributeConverter] = [_convert_bounds_swagger20]
_CONVERTERS_OPENAPI31: list[_AttributeConverter] = [
    _convert_bounds_openapi31,
    _convert_tuples_openapi31,
    _convert_keys_openapi31,
    _convert_choices_openapi31,
    _convert_null_choices_openapi31,
    _convert_addresses_openapi31,
    _convert_nulls_openapi31,
]
