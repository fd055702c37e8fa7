"""Questions about one marshmallow field of a model: files, locations, choices, passwords, user code."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from marshmallow import fields, validate
from marshmallow.fields import Field

from deepaas.model.bounded_list import LIBRARY_PREFIXES, get_inner_fields

_MASK = "********"


def is_file(field: Field) -> bool:
    """Return whether the field is a file to upload, or a list of them."""
    inner = field.inner if isinstance(field, fields.List) else field
    return "file" in (field.metadata.get("type"), inner.metadata.get("type"))


def accepts_many(field: Field) -> bool:
    """Return whether a request may repeat the argument to send a list."""
    return isinstance(field, fields.List | fields.Tuple) and get_field_delimiter(field) is None


def get_field_delimiter(field: Field) -> str | None:
    """Return the separator of a list field that is sent as one text, or `None`."""
    return getattr(field, "delimiter", None)


def get_field_location(field: Field) -> str | None:
    """Return the `location` in the field's metadata, such as "headers" or "form", or `None`."""
    location = field.metadata.get("location")
    return location if isinstance(location, str) else None


def get_field_choices(field: Field) -> tuple[str, ...]:
    """Return the choices of the field's first `OneOf` validator."""
    for validator in _flatten_validators(field.validators):
        if isinstance(validator, validate.OneOf):
            return tuple(str(choice) for choice in validator.choices)
    return ()


def _flatten_validators(validators: Iterable[Any]) -> Iterator[Any]:
    for validator in validators:
        if isinstance(validator, validate.And):
            yield from _flatten_validators(validator.validators)
        else:
            yield validator


def get_documented_choices(field: Field) -> list[Any]:
    """Return the choices of `metadata["enum"]`, which the field does not enforce, without duplicates.

    A string is one choice. An iterator is ignored, because it can be read only once.
    """
    documented = field.metadata.get("enum")
    if documented is None or isinstance(documented, Iterator):
        return []
    if isinstance(documented, set | frozenset):
        documented = sorted(documented, key=str)  # a set's order changes at each start
    is_single = isinstance(documented, str | bytes) or not isinstance(documented, Iterable)
    choices = [documented] if is_single else list(documented)
    return [choice for index, choice in enumerate(choices) if choice not in choices[:index]]


def has_password(field: Field, outer_schemas: tuple[type, ...] = ()) -> bool:
    """Return whether the field or one of its parts is a password; `outer_schemas` stop recursion."""
    if field.metadata.get("format") == "password":
        return True
    if isinstance(field, fields.Nested):
        schema = field.schema
        return type(schema) not in outer_schemas and any(
            has_password(part, (*outer_schemas, type(schema))) for part in schema.fields.values()
        )
    return any(has_password(part, outer_schemas) for part in get_inner_fields(field))


def mask_passwords(field: Field, value: Any) -> Any:
    """Return the value with asterisks in place of the field's passwords, or of those of its parts."""
    if value is None or not has_password(field):
        return value
    if isinstance(value, list) and isinstance(field, fields.List | fields.Nested):
        item = field.inner if isinstance(field, fields.List) else field
        return [mask_passwords(item, one) for one in value]
    if isinstance(value, Mapping) and isinstance(field, fields.Nested):
        parts = {part.attribute or name: part for name, part in field.schema.fields.items()}
        return {
            name: mask_passwords(parts[name], one) if name in parts else one for name, one in value.items()
        }
    return _MASK


def to_file_field(field: Field) -> Field:
    """Return a field that passes files through, for one that would reject or convert them."""
    if isinstance(field, fields.List):
        if _accepts_anything(field.inner):
            return field
        return fields.List(fields.Raw(), **_get_field_options(field))
    return field if _accepts_anything(field) else fields.Raw(**_get_field_options(field))


def _accepts_anything(field: Field) -> bool:
    """Return whether the field passes any value through, or is a class of the model author."""
    return type(field) in (fields.Field, fields.Raw) or not type(field).__module__.startswith(
        LIBRARY_PREFIXES
    )


def _get_field_options(field: Field) -> dict[str, Any]:
    return {
        "required": field.required,
        "load_default": field.load_default,
        "allow_none": field.allow_none,
        "data_key": field.data_key,
        "validate": field.validators,
    }


def is_single_text(field: Field) -> bool:
    """Return whether a request sends the argument as one text."""
    return not (accepts_many(field) or isinstance(field, fields.Mapping | fields.Nested))
