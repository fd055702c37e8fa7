"""Reads the functions and arguments of models from a server's OpenAPI document."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from deepaas.errors import ModelNotFound

_MISSING_MESSAGE = "Missing data for required field."


class Argument(NamedTuple):
    """One argument of a function; `schema` is the JSON Schema of its values.

    It is sent as a header if `is_header`, and a list as one comma-separated text if `is_comma_separated`.
    """

    schema: Mapping[str, Any]
    is_required: bool
    is_header: bool = False
    is_comma_separated: bool = False

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

    def __init__(self, operation: Mapping[str, Any]) -> None:
        self.arguments = dict(_parse_arguments(operation))

    def find_unknown_names(self, names: Iterator[str]) -> dict[str, list[str]]:
        """Return an error for each name that is not an argument."""
        known = f"Available: {', '.join(self.arguments)}." if self.arguments else "The function takes none."
        return {name: [f"No such argument. {known}"] for name in names if name not in self.arguments}

    def find_missing_names(self, names: Mapping[str, Any]) -> dict[str, list[str]]:
        """Return an error for each required argument that is not among the names."""
        required = (name for name, argument in self.arguments.items() if argument.is_required)
        return {name: [_MISSING_MESSAGE] for name in required if name not in names}


class ServerSchema:
    """The OpenAPI document of a server."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._paths = document["paths"]
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
        return Function(operation)

    def _list_models(self) -> list[str]:
        prefix, suffix = "/v2/models/", "/predict/"
        paths = (path for path in self._paths if path.startswith(prefix) and path.endswith(suffix))
        return [path.removeprefix(prefix).removesuffix(suffix) for path in paths]


def _parse_arguments(operation: Mapping[str, Any]) -> Iterator[tuple[str, Argument]]:
    for parameter in operation.get("parameters", ()):
        schema = parameter.get("schema", {}) | {"description": parameter.get("description", "")}
        yield (
            parameter["name"],
            Argument(
                schema,
                is_required=parameter.get("required", False),
                is_header=parameter["in"] == "header",
                is_comma_separated=parameter.get("explode") is False,
            ),
        )
    for content in operation.get("requestBody", {}).get("content", {}).values():
        required = content["schema"].get("required", ())
        for name, schema in content["schema"]["properties"].items():
            yield name, Argument(schema, name in required)
