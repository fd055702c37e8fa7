"""Lists that are not validated to their end when too much of them is wrong.

marshmallow makes an error for each wrong item: for the millions that a small request can have, these take
20 seconds and hundreds of megabytes.
"""

import functools
from typing import Any

import marshmallow
from marshmallow import fields, utils
from marshmallow.fields import Field

MOST_PROBLEMS = 100
_LIBRARIES = ("marshmallow.", "webargs.")


def bound_lists(field: Field) -> None:
    """Make a field that is bound to a schema, and the fields of its parts, stop after `MOST_PROBLEMS`.

    An author's own subclass of `List` stays as it is.
    """
    if isinstance(field, fields.List) and type(field).__module__.startswith(_LIBRARIES):
        field.__class__ = _bounded(type(field))
    for part in parts_of(field):
        bound_lists(part)


def parts_of(field: Field) -> list[Field]:
    """Return the fields of a field's items, keys and values."""
    parts = [getattr(field, name, None) for name in ("inner", "key_field", "value_field")]
    return [part for part in [*parts, *getattr(field, "tuple_fields", ())] if isinstance(part, Field)]


@functools.cache
def _bounded(kind: type[fields.List]) -> type[fields.List]:
    """Return the class with `_BoundedList` in place of marshmallow's list, the last of its bases."""
    bases = (_BoundedList,) if kind is fields.List else (kind, _BoundedList)
    return type(kind.__name__, bases, {"__module__": kind.__module__})


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
                if len(problems) > MOST_PROBLEMS:
                    break
        if problems:
            raise marshmallow.ValidationError(problems, valid_data=valid)
        return valid
