"""JSON Schemas of marshmallow fields, with keywords that apispec does not derive."""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Any

import marshmallow
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import fields, validate
from marshmallow.fields import Field

from deepaas.describer.description import Schema
from deepaas.log import get_logger
from deepaas.model.failures import describe_exception
from deepaas.model.fields import get_field_delimiter

_log = get_logger(__name__)

_NON_NULL_TYPES = ["string", "number", "boolean", "array", "object"]
_PYTHON_TO_ECMASCRIPT = {r"\A": "^", r"\Z": "$", "(?P<": "(?<"}
_HOST_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_TIME_PATTERN = r"^([01]?\d|2[0-3]):[0-5]?\d(:[0-5]?\d(\.\d{1,6})?)?$"
_MAX_TIMESTAMP_S = 253402300799  # the end of the year 9999
_TIMESTAMP_UNITS = {"timestamp": 1, "timestamp_ms": 1000}
_MAX_TIMEDELTA = dt.timedelta(days=999_999_999)


class FieldSchemas:
    """Describes fields for one version of the specification."""

    def __init__(self, converter: OpenAPIConverter) -> None:
        self._converter = converter
        is_swagger = converter.openapi_version.major < _OPENAPI_3
        for function in _CONVERTERS + (_CONVERTERS_SWAGGER20 if is_swagger else _CONVERTERS_OPENAPI31):
            converter.add_attribute_function(function)  # type: ignore[no-untyped-call]  # apispec's

    def describe_field(self, field: Field) -> Schema:
        """Return the schema of a field's values, or an empty schema if apispec fails."""
        try:
            return dict(self._converter.field2property(field))
        except Exception as error:  # noqa: BLE001 - the field may be user code, and raise anything
            return _log_undescribed(field, error)

    def describe_schema(self, schema: marshmallow.Schema) -> Schema:
        """Return the JSON Schema of a marshmallow schema, or an empty schema if apispec fails."""
        try:
            return dict(self._converter.schema2jsonschema(schema))  # type: ignore[no-untyped-call]  # apispec's
        except Exception as error:  # noqa: BLE001 - likewise
            return _log_undescribed(schema, error)


def _log_undescribed(subject: object, error: Exception) -> Schema:
    _log.warning("A %s cannot be described: %s", type(subject).__name__, describe_exception(error))
    return {}


def _convert_times(_: Any, field: Field, ret: Schema) -> Schema:
    """Add format and bounds of dates and times, which apispec omits."""
    if not isinstance(field, fields.DateTime):
        return {}
    for key in ("format", "pattern"):
        if key in ret and ret[key] is None:
            del ret[key]
    if field.format in _TIMESTAMP_UNITS:
        del ret["min"]  # not a keyword of JSON Schema
        last = _MAX_TIMESTAMP_S * _TIMESTAMP_UNITS[field.format]
        return {"format": "double", "example": last // 2, "minimum": 0, "maximum": last}
    return _convert_local_times(field) if field.format in (None, "iso", "iso8601") else {}


def _convert_local_times(field: fields.DateTime) -> Schema:
    if isinstance(field, fields.Time):
        return {"format": "time-local", "pattern": _TIME_PATTERN}
    is_naive = isinstance(field, fields.NaiveDateTime) and field.timezone is None
    return {"format": "date-time-local"} if is_naive or _has_naive_default(field) else {}


def _has_naive_default(field: fields.DateTime) -> bool:
    """Return whether the default is a time without a zone, which `date-time` does not allow."""
    default = field.load_default
    return isinstance(default, dt.datetime) and default.tzinfo is None


def _convert_periods(_: Any, field: Field, ret: Schema) -> Schema:
    """Bound a period by the longest `timedelta`, unless the model author sets bounds."""
    if not isinstance(field, fields.TimeDelta):
        return {}
    longest = _MAX_TIMEDELTA // dt.timedelta(**{field.precision: 1})
    return {"minimum": ret.get("minimum", -longest), "maximum": ret.get("maximum", longest)}


def _convert_urls(_: Any, field: Field, **__: Any) -> Schema:
    url_validators = [validator for validator in field.validators if isinstance(validator, validate.URL)]
    return {"pattern": _build_url_pattern(url_validators[0])} if url_validators else {}


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
    """Convert a regular expression to JavaScript syntax, anchored at the start like Python's `match`."""
    for validator in field.validators:
        regex = getattr(validator, "regex", None)
        if isinstance(regex, re.Pattern) and isinstance(regex.pattern, str):
            pattern = regex.pattern
            for python, ecmascript in _PYTHON_TO_ECMASCRIPT.items():
                pattern = pattern.replace(python, ecmascript)
            return {
                "pattern": pattern if pattern.startswith("^") and "|" not in pattern else f"^(?:{pattern})"
            }
    return {}


def _convert_lengths(_: Any, __: Field, ret: Schema) -> Schema:
    """Rename length keywords: JSON Schema has separate ones for objects and arrays."""
    plural = {"object": "Properties", "array": "Items"}.get(str(ret.get("type")))
    if plural is None:
        return {}
    return {f"{end}{plural}": ret.pop(f"{end}Length") for end in ("min", "max") if f"{end}Length" in ret}


def _convert_item_choices(_: Any, field: Field, ret: Schema) -> Schema:
    """Move the choices of a list to its items."""
    if not isinstance(field, fields.List) or "enum" not in ret:
        return {}
    # apispec adds null to the choices if the list may be null, but its items may not.
    choices = [choice for choice in ret.pop("enum") if choice is not None]
    return {"items": ret["items"] | {"enum": choices}}


def _convert_structures(converter: OpenAPIConverter, field: Field, ret: Schema) -> Schema:
    """Describe tuples and mappings, which apispec does not."""
    if isinstance(field, fields.Tuple):
        inner = [converter.field2property(inner_field) for inner_field in field.tuple_fields]
        is_uniform = all(schema == inner[0] for schema in inner[1:])
        items = inner[0] if inner and is_uniform else {}
        return {"type": "array", "items": items, "minItems": len(inner), "maxItems": len(inner)}
    if isinstance(field, fields.Mapping) and "type" not in ret:
        values = converter.field2property(field.value_field) if field.value_field else {}
        return {"type": "object", "additionalProperties": values}
    return {}


def _convert_enums(_: Any, field: Field, ret: Schema) -> Schema:
    """Add the type of an enumeration whose values are all texts."""
    is_untyped = isinstance(field, fields.Enum) and "type" not in ret
    return {"type": "string"} if is_untyped and all(isinstance(value, str) for value in ret["enum"]) else {}


def _convert_interfaces(_: Any, field: Field, **__: Any) -> Schema:
    """Add the format of an IP address with a network."""
    if not isinstance(field, fields.IPInterface):
        return {}
    kind = {fields.IPv4Interface: "ipv4", fields.IPv6Interface: "ipv6"}.get(type(field), "ip")
    return {"type": "string", "format": f"{kind}-interface"}


def _convert_defaults(_: Any, field: Field, ret: Schema) -> Schema:
    """Publish the default of a delimited list as a list."""
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
    """Publish choices that are only documented as examples, because other values are valid, too."""
    excluded = [
        choice
        for validator in field.validators
        if isinstance(validator, validate.NoneOf)
        for choice in validator.iterable
    ]
    exclusion: Schema = {"not": {"enum": excluded}} if excluded else {}
    is_enforced = isinstance(field, fields.Enum) or any(
        isinstance(validator, validate.OneOf | validate.Equal) for validator in field.validators
    )
    if "enum" in field.metadata and not is_enforced and "enum" in ret:
        return exclusion | {"examples": list(ret.pop("enum"))}
    return exclusion


def _convert_null_choices_openapi31(_: Any, field: Field, ret: Schema) -> Schema:
    """Add null to choices from the metadata if it is allowed; apispec does so only for validators."""
    is_lacking = field.allow_none and "enum" in ret and None not in ret["enum"]
    return {"enum": [*ret["enum"], None]} if is_lacking else {}


def _convert_addresses_openapi31(_: Any, __: Field, ret: Schema) -> Schema:
    """Use the format names of JSON Schema for URLs and IP addresses."""
    if ret.get("format") == "url":
        return {"format": "uri"}
    if ret.get("format") == "ip":
        del ret["format"]
        return {"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
    return {}


def _convert_nulls_openapi31(_: Any, field: Field, ret: Schema) -> Schema:
    """List all types but null for a field of any type that does not allow null."""
    is_typed = {"type", "$ref", "anyOf", "allOf", "enum"} & set(ret)
    if field.allow_none or is_typed or isinstance(field, fields.Constant):
        return {}
    # openapi-python-client 0.29 omits operations that have an array without items.
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
