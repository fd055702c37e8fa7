"""Null as a default or as a value of an argument, in JSON Schemas."""

from deepaas.describer.description import Schema

X_NULL_DEFAULT: Schema = {"x-default": None}
"""A default of null where `default` cannot be null, because it must match the type.

Types of Swagger 2.0 exclude null (https://swagger.io/specification/v2/#parameter-object), and so do files.
"""


def remove_null(schema: Schema) -> Schema:
    """Return the schema without null, for a value that is sent as text."""
    non_null = {key: value for key, value in schema.items() if key != "x-nullable"}
    if non_null.get("default", ...) is None:
        del non_null["default"]
    if "enum" in non_null:
        non_null["enum"] = [choice for choice in non_null["enum"] if choice is not None]
    if isinstance(non_null.get("type"), list):
        types = [name for name in non_null["type"] if name != "null"]
        non_null["type"] = types[0] if len(types) == 1 else types
    return non_null


def add_null_default(schema: Schema) -> Schema:
    """Return the schema with null as default, also among its types and choices."""
    nullable = schema | {"default": None}
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        nullable["type"] = [*types, *({"null"} - {*types})]
    if "enum" in schema:
        nullable["enum"] = [*(choice for choice in schema["enum"] if choice is not None), None]
    return nullable
