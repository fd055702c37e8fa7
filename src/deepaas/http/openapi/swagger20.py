"""Swagger 2.0: parameters have no schema but a type, and the parts of a form are parameters."""

from typing import Any

from deepaas.describer.description import ArgumentDescription, FunctionDescription, Schema
from deepaas.http.openapi.builder import SpecBuilder, get_header_descriptions
from deepaas.http.openapi.null_values import X_NULL_DEFAULT, remove_null
from deepaas.http.openapi.operations import JSON, OperationSpec, ParameterSpec, ResponseSpec
from deepaas.http.openapi.schemas import create_array

_MULTIPART = "multipart/form-data"
_ANY_MEDIA_TYPE = "*/*"
_ALLOWED_KEYWORDS = {"type", "format", "items", "default", "enum", "pattern", "multipleOf", "uniqueItems"} | {
    f"{end}{what}"
    for end in ("min", "max", "exclusiveMin", "exclusiveMax")
    for what in ("imum", "Length", "Items")
}
_PRIMITIVE_TYPES = ("string", "number", "integer", "boolean", "array")
_COLLECTION_FORMATS = {",": "csv", " ": "ssv", "\t": "tsv", "|": "pipes"}


class Swagger20Builder(SpecBuilder):
    """Builds the document from which existing clients generate their forms."""

    specification_version = "2.0"
    ref_prefix = "#/definitions/"
    always_names_predictions = False  # deepaas_ui shows the JSON of a model without a definition

    def build_arguments(self, function: FunctionDescription) -> dict[str, Any]:
        """Return all arguments as parameters."""
        parameters = [self._build_argument_parameter(argument) for argument in function.arguments]
        has_files = any(argument.is_file for argument in function.arguments)
        return {"parameters": parameters} | ({"consumes": [_MULTIPART]} if has_files else {})

    def _build_argument_parameter(self, argument: ArgumentDescription) -> dict[str, Any]:
        parameter = {"name": argument.key, "in": "query", "required": argument.is_required}
        null = X_NULL_DEFAULT if argument.has_null_default else {}
        if argument.is_file:
            return parameter | {"in": "formData", "type": "file", "description": argument.text} | null
        if argument.is_header:
            parameter["in"] = "header"
        schema = remove_null(self.get_argument_schema(argument))
        nullable = {"x-nullable": True} if null else {}
        return parameter | _to_text_property(argument, schema) | null | nullable

    def build_produces(self, operation: OperationSpec) -> dict[str, Any]:
        """Return the media types of all responses; a model that negotiates them may send any."""
        responses = [spec for spec in operation.responses.values() if isinstance(spec, ResponseSpec)]
        media_types = [media_type for response in responses for media_type in response.media_types]
        is_negotiated = operation.arguments is not None and operation.arguments.accept is not None
        if not media_types:
            return {}
        return {"produces": list(dict.fromkeys([*media_types, _ANY_MEDIA_TYPE if is_negotiated else JSON]))}

    def build_response(self, response: ResponseSpec) -> dict[str, Any]:
        """Return the description of a response."""
        described: dict[str, Any] = {"description": response.description, "headers": {}}
        for name, description in get_header_descriptions(response).items():
            described["headers"][name] = {"type": "string", "description": description}
        if response.content is not None:
            schema = self.get_content_schema(response)
            described["schema"] = create_array(schema) if response.is_list else schema
        return described

    def build_parameter(self, parameter: ParameterSpec) -> dict[str, Any]:
        """Return the description of a parameter of the server."""
        keys = {"name": parameter.name, "in": parameter.location, "required": parameter.location == "path"}
        return keys | {"description": parameter.description} | parameter.schema

    def build_security_scheme(self) -> dict[str, Any]:
        """Return the description of how clients send a token."""
        description = "Bearer, a space, and the token"
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": description}


def _to_text_property(argument: ArgumentDescription, schema: Schema) -> Schema:
    """Convert a property to one whose value is sent as text."""
    if schema.get("type") != "array":
        return _to_primitive_property(schema)
    is_flat = (argument.is_list or argument.is_tuple) and schema["items"].get("type") != "array"
    return _to_list_property(argument, schema) if is_flat else _to_json_property(schema)


def _to_list_property(argument: ArgumentDescription, schema: Schema) -> Schema:
    delimiter = argument.delimiter
    if delimiter is not None and delimiter not in _COLLECTION_FORMATS:
        return _get_description(schema) | {"type": "string"}
    collection = "multi" if delimiter is None else _COLLECTION_FORMATS[delimiter]
    items = _to_primitive_property(schema["items"])
    items.pop("description", None)
    return _to_primitive_property(schema) | {"collectionFormat": collection, "items": items}


def _to_primitive_property(schema: Schema) -> Schema:
    """Reduce a property to the keywords that Swagger 2.0 allows outside a body."""
    if schema.get("type") in _PRIMITIVE_TYPES:
        allowed = {
            key: value for key, value in schema.items() if key in _ALLOWED_KEYWORDS or key.startswith("x-")
        }
        return _get_description(schema) | allowed
    if "type" in schema or "$ref" in schema:
        return _to_json_property(schema)
    return _get_description(schema) | {"type": "string", "format": "any"}


def _to_json_property(schema: Schema) -> Schema:
    """Describe a structure outside a body as JSON text."""
    return _get_description(schema) | {
        "type": "string",
        "minLength": 2,
        "format": "json-array" if schema.get("type") == "array" else "json",
    }


def _get_description(schema: Schema) -> Schema:
    return {"description": schema["description"]} if "description" in schema else {}
