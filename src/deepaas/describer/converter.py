"""apispec field converter that publishes defaults and documented choices as JSON values."""

import decimal
import enum
from typing import Any

import marshmallow
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import fields
from marshmallow.fields import Field

from deepaas.describer.description import Schema
from deepaas.log import get_logger
from deepaas.model import json_encoding
from deepaas.model.failures import describe_exception
from deepaas.model.fields import get_documented_choices

_log = get_logger(__name__)

_JSON_TYPES = (bool, int, float, str, list, dict)


class FieldConverter(OpenAPIConverter):
    """Converts a field to a property, even if its default or its choices are Python objects.

    apispec 6.10 publishes `metadata["default"]` and `metadata["enum"]` unchanged. If a field cannot serialise
    its `load_default`, apispec raises, and the rest of the property would be lost.
    """

    def field2default(self, field: Field, **_: Any) -> Schema:
        """Return the default as the field serialises it, or nothing if that fails."""
        default = _get_default(field)
        if default is None:
            return {"default": None} if has_null_default(field) else {}
        if default is marshmallow.missing or callable(default):
            return {}
        try:
            is_documented = "default" in field.metadata and type(default) in _JSON_TYPES
            value = default if is_documented else _serialize_default(field, default)
            return {"default": json_encoding.to_jsonable(value, value_name="the default")}
        except Exception as error:  # noqa: BLE001 - the field and the default may be user code, and raise anything
            kind = type(field).__name__
            _log.warning("The specification omits the default of a %s: %s", kind, describe_exception(error))
            return {}

    def metadata2properties(self, field: Field, **kwargs: Any) -> Schema:
        """Return the metadata without the default, and its choices as a list without duplicates."""
        properties: Schema = super().metadata2properties(field, **kwargs)
        properties.pop("default", None)
        if "enum" in properties:
            del properties["enum"]
            choices = get_documented_choices(field)
            return properties | ({"enum": choices} if choices else {})
        return properties


class FieldPlugin(MarshmallowPlugin):
    """apispec's marshmallow plug-in with `FieldConverter`."""

    Converter = FieldConverter


def has_null_default(field: Field) -> bool:
    """Return whether to publish null as the default; not if requests must not send null."""
    return _get_default(field) is None and bool(field.allow_none)


def _get_default(field: Field) -> Any:
    return field.metadata.get("default", field.load_default)


def _serialize_default(field: Field, default: Any) -> Any:
    if type(field) is fields.String and isinstance(default, enum.Enum):
        default = default.value  # a String would serialise Colour.RED as "Colour.RED"
    if isinstance(field, fields.Function) and field.serialize_func is None:
        return default
    value = field.serialize("default", default, accessor=lambda value, *_: value)
    if value is marshmallow.missing:  # a Method that only deserialises
        return default
    # apispec publishes Decimal as `number`, so its default must be a number.
    return float(value) if isinstance(value, decimal.Decimal) else value
