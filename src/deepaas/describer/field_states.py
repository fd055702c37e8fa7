"""Fields of marshmallow and webargs as plain data, and fields from that data.

The server rebuilds fields that run no user code, and validates with them. For any other field it gets a
placeholder, which only shows how a request sends the value.
"""

import inspect
import string
from collections.abc import Mapping
from typing import Any

import marshmallow
import webargs.fields
from marshmallow import fields, validate
from marshmallow.fields import Field

from deepaas.describer.description import ObjectState, is_plain
from deepaas.model.fields import accepts_many, get_documented_choices, get_field_choices

_USER_CODE_FIELDS = (fields.Nested, fields.Function, fields.Method, fields.Enum)
_KEPT_METADATA = ("type", "location", "format", "enum")
_UNUSED_ATTRIBUTES = (
    *("parent", "root", "name"),  # set by the schema when it binds the field
    *("validate", "dump_default"),  # not read by validation
)
_MESSAGE_NAMES = {
    "Range": ("input", "min", "max"),
    "Length": ("input", "min", "max", "equal"),
    "Equal": ("input", "other"),
    "OneOf": ("input", "choices", "labels"),
    "ContainsOnly": ("input", "choices", "labels"),
    "NoneOf": ("input", "values"),
    "ContainsNoneOf": ("input", "values"),
    "Predicate": ("input", "method"),
    "Email": ("input",),
    "URL": ("input",),
}
"""The names that the messages of each validator can contain."""
_CONSTANTS = {"marshmallow.missing": marshmallow.missing, "builtins.int": int, "builtins.float": float}
"""Values that are known by their name. The numbers are types of a `TimeDelta`."""


class NotPlainError(Exception):
    """The field runs user code, or holds an object that is not plain data."""


def _list_classes() -> dict[str, type]:
    """Return the classes that can be rebuilt, by path.

    A regular expression of the model author can take forever, so that `Regexp` counts as user code:
    https://owasp.org/www-community/attacks/Regular_expression_Denial_of_Service_-_ReDoS
    """
    classes = {
        f"{found.__module__}.{found.__qualname__}": found
        for module in (fields, validate, webargs.fields)
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Field | validate.Validator)
    }
    excluded = (*_USER_CODE_FIELDS, validate.Regexp)
    return {path: found for path, found in classes.items() if not issubclass(found, excluded)}


_CLASSES = _list_classes()


def capture_field(field: Field) -> ObjectState:
    """Return the state of an unbound field. Raise `NotPlainError` if the server must not rebuild it."""
    return _capture(field)  # type: ignore[no-any-return]  # a field has a state


def create_placeholder(field: Field) -> ObjectState:
    """Return the state of a field that is sent like `field`, and passes any value through."""
    if accepts_many(field):
        inner = fields.Dict() if _is_list_of_structures(field) else fields.Raw()
        shape: Field = fields.List(inner)
        if isinstance(field, fields.List):
            inner.metadata = field.inner.metadata
    else:
        shape = fields.Dict() if isinstance(field, fields.Mapping | fields.Nested) else fields.Raw()
    shape.metadata = field.metadata
    shape.required, shape.allow_none = field.required, field.allow_none
    shape.data_key, shape.attribute = field.data_key, field.attribute
    shape.load_default = field.load_default if is_plain(field.load_default) else marshmallow.missing
    shape.validators = [validate.OneOf(get_field_choices(field))] if get_field_choices(field) else []
    return _capture(shape)  # type: ignore[no-any-return]  # a field has a state


def rebuild(state: Any) -> Any:
    """Return the object of a state; other values as they are, with the states in them rebuilt.

    Raise `KeyError` for an unknown class, and `ValueError` for an attribute that would replace a method.
    """
    if isinstance(state, ObjectState):
        if state.class_path in _CONSTANTS:
            return _CONSTANTS[state.class_path]
        kind = _CLASSES[state.class_path]
        if any(name.startswith("__") or callable(getattr(kind, name, None)) for name in state.attributes):
            raise ValueError(f"a {kind.__name__} cannot have these attributes: {', '.join(state.attributes)}")
        rebuilt: Any = object.__new__(kind)
        rebuilt.__dict__.update({name: rebuild(value) for name, value in state.attributes.items()})
        return rebuilt
    if type(state) in (list, tuple):
        return type(state)(map(rebuild, state))
    return {key: rebuild(value) for key, value in state.items()} if type(state) is dict else state


def _is_list_of_structures(field: Field) -> bool:
    return isinstance(field, fields.List) and isinstance(field.inner, fields.Mapping | fields.Nested)


def _capture(part: Any) -> Any:
    """Return a plain value as it is, and the state of a field or validator."""
    for path, constant in _CONSTANTS.items():
        if part is constant:
            return ObjectState(path, {})
    if is_plain(part):
        return part
    if type(part) in (list, tuple):
        return type(part)(map(_capture, part))
    if type(part) is dict:
        return {_capture(key): _capture(value) for key, value in part.items()}
    path = f"{type(part).__module__}.{type(part).__qualname__}"
    if _CLASSES.get(path) is not type(part):
        raise NotPlainError(path)
    attributes = dict(vars(part))
    _check_messages(part)
    if isinstance(part, Field):
        attributes |= dict.fromkeys(attributes.keys() & _UNUSED_ATTRIBUTES)
        attributes["metadata"] = _reduce_metadata(part)
    return ObjectState(path, {name: _capture(value) for name, value in attributes.items()})


def _check_messages(part: Any) -> None:
    """Raise `NotPlainError` for an error message whose format can fail, or take long: `{input:>99999999}`.

    Messages of fields must not contain names at all: each field has its own.
    """
    if isinstance(part, Field):
        defaults = [getattr(kind, "default_error_messages", {}) for kind in type(part).__mro__]
        messages = [
            text
            for key, text in part.error_messages.items()
            if not any(default.get(key) == text for default in defaults)
        ]
    else:
        messages = [part.error] if getattr(part, "error", None) else []
    names = _MESSAGE_NAMES.get(type(part).__name__, ())
    for text in messages:
        try:
            parsed = list(string.Formatter().parse(text))
        except (TypeError, ValueError):
            raise NotPlainError(f"the error message {text!r}") from None
        for _, name, specification, conversion in parsed:
            if specification or conversion or (name is not None and name not in names):
                raise NotPlainError(f"the error message {text!r}")


def _reduce_metadata(field: Field) -> Mapping[str, Any]:
    metadata = {**field.metadata, "enum": get_documented_choices(field)}
    return {
        name: metadata[name] for name in _KEPT_METADATA if metadata.get(name) and is_plain(metadata[name])
    }
