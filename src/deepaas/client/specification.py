"""Reads the functions and arguments of models from a server's OpenAPI document, and validates arguments."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jsonschema

from deepaas.errors import ModelNotFound

_MISSING_MESSAGE = "Missing data for required field."
_MAX_TEXT_LENGTH = 200


class Argument(NamedTuple):
    """One argument of a function; `schema` is the JSON Schema of its values.

    It is sent as a header if `is_header`, and a list as one comma-separated text if `is_comma_separated`.
    If `is_nullable`, null is valid although the schema does not allow it.
    """

    schema: Mapping[str, Any]
    is_required: bool
    is_header: bool = False
    is_comma_separated: bool = False
    is_nullable: bool = False

    @property
    def is_file(self) -> bool:
        """Whether the argument is a file, or a list of files."""
        items = self.schema.get("items", self.schema)
        return "contentMediaType" in items and items.get("format") == "binary"

    @property
    def is_list(self) -> bool:
        """Whether the argument is a list."""
        types = self.schema.get("type")
        return "array" in types if isinstance(types, list) else types == "array"


class Function:
    """A function of a model, as the OpenAPI document declares it."""

    def __init__(self, operation: Mapping[str, Any], components: Mapping[str, Any]) -> None:
        self.arguments = dict(_parse_arguments(operation))
        self._components = components

    def find_unknown_names(self, names: Iterator[str]) -> dict[str, list[str]]:
        """Return an error for each name that is not an argument."""
        known = f"Available: {', '.join(self.arguments)}." if self.arguments else "The function takes none."
        return {name: [f"No such argument. {known}"] for name in names if name not in self.arguments}

    def find_missing_names(self, names: Mapping[str, Any]) -> dict[str, list[str]]:
        """Return an error for each required argument that is not among the names."""
        required = (name for name, argument in self.arguments.items() if argument.is_required)
        return {name: [_MISSING_MESSAGE] for name in required if name not in names}

    def validate(self, name: str, value: Any) -> list[str]:
        """Return the errors of an argument's value, which consists of JSON values."""
        if value is None and name in self.arguments and self.arguments[name].is_nullable:
            return []
        validator = self._validators.get(name)
        return [_format_error(error) for error in validator.iter_errors(value)] if validator else []

    @functools.cached_property
    def _validators(self) -> dict[str, Any]:
        return {
            name: jsonschema.Draft202012Validator({**argument.schema, "components": self._components})
            for name, argument in self.arguments.items()
            if not argument.is_file and _is_valid(argument.schema)
        }


class ServerSchema:
    """The OpenAPI document of a server."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._paths = document["paths"]
        self._components = document.get("components", {})
        self._functions: dict[tuple[str, str], Function] = {}

    def get_function(self, model: str, name: str) -> Function:
        """Return a model's function. Raise `ModelNotFound`, listing the available models."""
        if (model, name) not in self._functions:
            self._functions[model, name] = self._parse_function(model, name)
        return self._functions[model, name]

    def _parse_function(self, model: str, name: str) -> Function:
        operation = self._paths.get(f"/v2/models/{model}/{name}/", {}).get("post")
        if operation is None:
            raise ModelNotFound(
                f"No model is called '{model}' on this server. Available: {', '.join(self._list_models())}."
            )
        return Function(operation, self._components)

    def _list_models(self) -> list[str]:
        prefix, suffix = "/v2/models/", "/predict/"
        paths = (path for path in self._paths if path.startswith(prefix) and path.endswith(suffix))
        return [path.removeprefix(prefix).removesuffix(suffix) for path in paths]


def _parse_arguments(operation: Mapping[str, Any]) -> Iterator[tuple[str, Argument]]:
    for parameter in operation.get("parameters", ()):
        schema = parameter.get("schema", {}) | {"description": parameter.get("description", "")}
        is_joined = parameter.get("explode") is False
        yield (
            parameter["name"],
            Argument(
                schema,
                is_required=parameter.get("required", False),
                is_header=parameter["in"] == "header",
                is_comma_separated=is_joined,
                is_nullable=parameter.get("x-nullable", False),
            ),
        )
    for content in operation.get("requestBody", {}).get("content", {}).values():
        required = content["schema"].get("required", ())
        for name, schema in content["schema"]["properties"].items():
            yield name, Argument(schema, name in required)


def _is_valid(schema: Mapping[str, Any]) -> bool:
    """Return whether the schema is a JSON Schema; model authors can declare invalid ones."""
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError:
        return False
    return True


def _format_error(error: Any) -> str:
    place = "".join(f"[{key!r}]" for key in error.absolute_path)
    text = f"{place}: {error.message}" if place else str(error.message)
    return text if len(text) <= _MAX_TEXT_LENGTH else f"{text[:_MAX_TEXT_LENGTH]}…"
