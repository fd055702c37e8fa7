"""List fields that stop validating after `MAX_ERRORS` errors.

marshmallow creates an error for each invalid item. A small request can have millions of them, which take
20 seconds and hundreds of megabytes.
"""

import functools
from typing import Any

import marshmallow
from marshmallow import fields, utils
from marshmallow.fields import Field

MAX_ERRORS = 100
LIBRARY_PREFIXES = ("marshmallow.", "webargs.")
"""Prefixes of the modules whose field classes are not code of the model author."""


def limit_list_errors(field: Field) -> None:
    """Limit the errors of a bound field and of its inner fields to `MAX_ERRORS`; change the field in place.

    Model authors' subclasses of `List` are not changed.
    """
    if isinstance(field, fields.List) and type(field).__module__.startswith(LIBRARY_PREFIXES):
        field.__class__ = _make_bounded_class(type(field))
    for part in get_inner_fields(field):
        limit_list_errors(part)


def get_inner_fields(field: Field) -> list[Field]:
    """Return the fields of a field's items, keys, values and tuple elements."""
    parts = [getattr(field, name, None) for name in ("inner", "key_field", "value_field")]
    return [part for part in [*parts, *getattr(field, "tuple_fields", ())] if isinstance(part, Field)]


@functools.cache
def _make_bounded_class(list_class: type[fields.List]) -> type[fields.List]:
    """Return a subclass in whose method resolution order `_BoundedList` precedes marshmallow's `List`."""
    bases = (_BoundedList,) if list_class is fields.List else (list_class, _BoundedList)
    return type(list_class.__name__, bases, {"__module__": list_class.__module__})


class _BoundedList(fields.List):
    def _deserialize(self, value: Any, *_: Any, **kwargs: Any) -> list[Any]:
        if not utils.is_collection(value):
            raise self.make_error("invalid")
        valid: list[Any] = []
        problems: dict[int, Any] = {}
        for index, item in enumerate(value):
            try:
                valid.append(self.inner.deserialize(item, **kwargs))
            except marshmallow.ValidationError as error:
                problems[index] = error.messages
                if len(problems) > MAX_ERRORS:
                    break
        if problems:
            raise marshmallow.ValidationError(problems, valid_data=valid)
        return valid
