"""Creates sample arguments from a model's fields."""

import datetime as dt
import uuid
from collections.abc import Mapping
from importlib import resources
from typing import Any

import marshmallow
from marshmallow import fields, validate
from marshmallow.fields import Field

from deepaas.model.arguments import Arguments
from deepaas.model.fields import get_documented_choices, get_field_choices, is_file
from deepaas.model.v2.wrapper import UploadedFile
from deepaas.scratch import UploadFolder

_FILE_KINDS = {
    "png": ("image/png", ("image", "picture", "photo", "png", "jpeg")),
    "wav": ("audio/wav", ("audio", "sound", "wav")),
    "csv": ("text/csv", ("csv", "table")),
    "json": ("application/json", ("json",)),
}
"""Media type and keywords of the sample files."""


def create_sample_arguments(arguments: Arguments, scratch: UploadFolder) -> dict[str, Any]:
    """Return raw values, as in a request, for the required arguments.

    If none is required, return one for the first file argument. Files are written to `scratch`.
    """
    wanted = {name: field for name, field in arguments.fields.items() if field.required}
    if not wanted:
        files = ((name, field) for name, field in arguments.fields.items() if is_file(field))
        wanted = dict(list(files)[:1])
    return {
        field.data_key or name: create_sample_value(name, field, scratch) for name, field in wanted.items()
    }


def create_sample_value(name: str, field: Field, scratch: UploadFolder) -> Any:
    """Return a raw value: a declared example, default or choice, or else one for the field's type."""
    if is_file(field):
        file = _create_file(name, str(field.metadata.get("description", "")), scratch)
        return [file] if isinstance(field, fields.List) else file
    for found in _get_declared_values(field):
        return found
    if isinstance(field, fields.List):
        return [create_sample_value(name, field.inner, scratch)] * max(1, _get_min_length(field))
    if isinstance(field, fields.Nested):
        inner = field.schema.fields.items()
        return {key: create_sample_value(key, one, scratch) for key, one in inner if one.required}
    return _create_typed_value(field)


def _get_declared_values(field: Field) -> list[Any]:
    """Return the examples, the default and the choices that the model declares."""
    named = field.metadata.get("example")
    several = field.metadata.get("examples")
    found = [] if named is None else [named]
    found += [*several.values()] if isinstance(several, Mapping) else [*(several or ())]
    if field.load_default not in (marshmallow.missing, None) and not callable(field.load_default):
        found.append(field.load_default)
    return [*found, *get_field_choices(field), *get_documented_choices(field)]


def _create_typed_value(field: Field) -> Any:
    match field:
        case fields.Bool():
            return False
        case fields.Number():
            return _create_number(field)
        case fields.Url():
            return "http://127.0.0.1/"
        case fields.Email():
            return "somebody@example.org"
        case fields.UUID():
            return str(uuid.UUID(int=0))
        case fields.DateTime() | fields.Date() | fields.Time():
            return _create_datetime(field)
        case fields.Dict():
            return {}
    return "example".ljust(_get_min_length(field), "x")


def _create_datetime(field: Field) -> str:
    moment = dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    match field:
        case fields.Time():
            return moment.time().isoformat()
        case fields.Date():
            return moment.date().isoformat()
    return moment.isoformat()


def _create_number(field: Field) -> float:
    """Return a number within the field's bounds; their middle if there are two."""
    ranges = [one for one in field.validators if isinstance(one, validate.Range)]
    low = max((one.min for one in ranges if one.min is not None), default=None)
    high = min((one.max for one in ranges if one.max is not None), default=None)
    if low is None:
        low = 1 if high is None else high - 2
    middle = (low + (low + 2 if high is None else high)) / 2
    return int(middle) if isinstance(field, fields.Int) else float(middle)


def _get_min_length(field: Field) -> int:
    lengths = [one for one in field.validators if isinstance(one, validate.Length)]
    return max((one.equal or one.min or 0 for one in lengths), default=0)


def _create_file(name: str, description: str, scratch: UploadFolder) -> UploadedFile:
    """Copy the sample file whose keyword is in the argument's name or description, else a text."""
    words = f"{name} {description}".lower()
    kind, media_type = "txt", "text/plain"
    for each, (its_media_type, keywords) in _FILE_KINDS.items():
        if any(keyword in words for keyword in keywords):
            kind, media_type = each, its_media_type
            break
    content = resources.files(__package__) / f"samples/example.{kind}"
    path = scratch.create_file_path(f"example.{kind}")
    path.write_bytes(content.read_bytes())
    return UploadedFile(name, str(path), media_type, f"example.{kind}")
