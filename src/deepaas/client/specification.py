"""What a server's specification says of a model's functions, and what in some arguments does not fit it.

It must not know how the arguments are sent.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jsonschema

from deepaas.errors import ModelNotFound

_MISSING = "Missing data for required field."
_LONGEST_TEXT = 200


class Argument(NamedTuple):
    """One argument of a function; `schema` is the JSON Schema of its values.

    `is_header` says that it goes into a header, `is_joined` that a list goes as one text with commas,
    `may_be_null` that null is taken although the schema does not say so.
    """

    schema: Mapping[str, Any]
    is_required: bool
    is_header: bool = False
    is_joined: bool = False
    may_be_null: bool = False

    @property
    def is_file(self) -> bool:
        """Say whether the argument is a file, or a list of files."""
        items = self.schema.get("items", self.schema)
        return "contentMediaType" in items and items.get("format") == "binary"

    @property
    def is_list(self) -> bool:
        """Say whether the argument takes several values."""
        types = self.schema.get("type")
        return "array" in types if isinstance(types, list) else types == "array"


class Function:
    """A function of a model, as the specification declares it."""

    def __init__(self, operation: Mapping[str, Any], components: Mapping[str, Any]) -> None:
        self.arguments = dict(_arguments(operation))
        self._components = components

    def unknown(self, names: Iterator[str]) -> dict[str, list[str]]:
        """Return what is wrong with the names that are no argument's."""
        there_are = f"There are: {', '.join(self.arguments)}." if self.arguments else "There are none."
        return {name: [f"No such argument. {there_are}"] for name in names if name not in self.arguments}

    def missing(self, names: Mapping[str, Any]) -> dict[str, list[str]]:
        """Return what is wrong with the arguments that are required and not among the names."""
        wanted = (name for name, argument in self.arguments.items() if argument.is_required)
        return {name: [_MISSING] for name in wanted if name not in names}

    def unfit(self, name: str, value: Any) -> list[str]:
        """Return what is wrong with the value, which is plain JSON values, of an argument."""
        if value is None and name in self.arguments and self.arguments[name].may_be_null:
            return []
        validator = self._validators.get(name)
        return [_text(error) for error in validator.iter_errors(value)] if validator else []

    @functools.cached_property
    def _validators(self) -> dict[str, Any]:
        return {
            name: jsonschema.Draft202012Validator({**argument.schema, "components": self._components})
            for name, argument in self.arguments.items()
            if not argument.is_file and _is_valid(argument.schema)
        }


class Specification:
    """The OpenAPI document of a server."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._paths = document["paths"]
        self._components = document.get("components", {})
        self._functions: dict[tuple[str, str], Function] = {}

    def function(self, model: str, name: str) -> Function:
        """Return a model's function. Raise `ModelNotFound`, listing the models there are."""
        if (model, name) not in self._functions:
            self._functions[model, name] = self._read(model, name)
        return self._functions[model, name]

    def _read(self, model: str, name: str) -> Function:
        operation = self._paths.get(f"/v2/models/{model}/{name}/", {}).get("post")
        if operation is None:
            raise ModelNotFound(
                f"No model is called '{model}' on this server. There are: {', '.join(self._models())}."
            )
        return Function(operation, self._components)

    def _models(self) -> list[str]:
        prefix, suffix = "/v2/models/", "/predict/"
        ours = (path for path in self._paths if path.startswith(prefix) and path.endswith(suffix))
        return [path.removeprefix(prefix).removesuffix(suffix) for path in ours]


def _arguments(operation: Mapping[str, Any]) -> Iterator[tuple[str, Argument]]:
    for parameter in operation.get("parameters", ()):
        schema = parameter.get("schema", {}) | {"description": parameter.get("description", "")}
        is_joined = parameter.get("explode") is False
        yield (
            parameter["name"],
            Argument(
                schema,
                is_required=parameter.get("required", False),
                is_header=parameter["in"] == "header",
                is_joined=is_joined,
                may_be_null=parameter.get("x-nullable", False),
            ),
        )
    for content in operation.get("requestBody", {}).get("content", {}).values():
        required = content["schema"].get("required", ())
        for name, schema in content["schema"]["properties"].items():
            yield name, Argument(schema, name in required)


def _is_valid(schema: Mapping[str, Any]) -> bool:
    """Say whether a schema is one; an author can write nonsense, and then the server alone checks."""
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError:
        return False
    return True


def _text(error: Any) -> str:
    place = "".join(f"[{key!r}]" for key in error.absolute_path)
    text = f"{place}: {error.message}" if place else str(error.message)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
