"""Swagger 2.0: a parameter has its type beside its name, and a form's parts are parameters."""

from typing import Any

from marshmallow import fields
from marshmallow.fields import Field

from deepaas.http.specification.converter import has_null_default
from deepaas.http.specification.document import Document, headers_of, is_required
from deepaas.http.specification.operations import JSON, Answer, Operation, Parameter
from deepaas.http.specification.properties import X_NULL_DEFAULT, without_null
from deepaas.http.specification.schemas import Schema, array
from deepaas.model.arguments import Arguments, delimiter_of, is_file

_MULTIPART = "multipart/form-data"
_ANY = "*/*"
_RULES = {"type", "format", "items", "default", "enum", "pattern", "multipleOf", "uniqueItems"} | {
    f"{end}{what}"
    for end in ("min", "max", "exclusiveMin", "exclusiveMax")
    for what in ("imum", "Length", "Items")
}
_PRIMITIVE = ("string", "number", "integer", "boolean", "array")
_COLLECTIONS = {",": "csv", " ": "ssv", "\t": "tsv", "|": "pipes"}


class Swagger(Document):
    """The document that existing clients build their forms from."""

    specification_version = "2.0"
    references = "#/definitions/"
    names_every_prediction = False  # deepaas_ui shows the JSON of a model without a definition

    def request(self, arguments: Arguments) -> dict[str, Any]:
        """Return every argument as a parameter."""
        parameters = [self._parameter(arguments, name, field) for name, field in arguments.fields.items()]
        has_files = any(is_file(field) for field in arguments.fields.values())
        return {"parameters": parameters} | ({"consumes": [_MULTIPART]} if has_files else {})

    def _parameter(self, arguments: Arguments, name: str, field: Field) -> dict[str, Any]:
        key = field.data_key or name
        parameter = {"name": key, "in": "query", "required": is_required(arguments, field, key)}
        null = X_NULL_DEFAULT if has_null_default(field) else {}
        if is_file(field):
            described = {"description": field.metadata.get("description", "")}
            return parameter | {"in": "formData", "type": "file"} | described | null
        if arguments.is_header(key):
            parameter["in"] = "header"
        nullable = {"x-nullable": True} if null else {}
        return parameter | _text(field, without_null(self.property_of(field))) | null | nullable

    def produced(self, operation: Operation) -> dict[str, Any]:
        """Return the media types of all answers; a model with media types to choose from may send any."""
        answers = [answer for answer in operation.answers.values() if isinstance(answer, Answer)]
        media_types = [media_type for answer in answers for media_type in answer.media_types]
        chosen = operation.arguments is not None and operation.arguments.accept is not None
        if not media_types:
            return {}
        return {"produces": list(dict.fromkeys([*media_types, _ANY if chosen else JSON]))}

    def response(self, answer: Answer) -> dict[str, Any]:
        """Return a response."""
        written: dict[str, Any] = {"description": answer.description, "headers": {}}
        for name, description in headers_of(answer).items():
            written["headers"][name] = {"type": "string", "description": description}
        if answer.content is not None:
            schema = self.content_of(answer)
            written["schema"] = array(schema) if answer.many else schema
        return written

    def own_parameter(self, parameter: Parameter) -> dict[str, Any]:
        """Return a parameter of the server's own."""
        about = {"name": parameter.name, "in": parameter.place, "required": parameter.place == "path"}
        return about | {"description": parameter.description} | parameter.schema

    def token_scheme(self) -> dict[str, Any]:
        """Return how a token is sent."""
        description = "Bearer, a blank, and the token"
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": description}


def _text(field: Field, found: Schema) -> Schema:
    """Return a property whose values are sent as texts."""
    if found.get("type") != "array":
        return _primitive(found)
    is_flat = isinstance(field, fields.List | fields.Tuple) and found["items"].get("type") != "array"
    return _list(field, found) if is_flat else _json(found)


def _list(field: Field, found: Schema) -> Schema:
    delimiter = delimiter_of(field)
    if delimiter is not None and delimiter not in _COLLECTIONS:
        return _described(found) | {"type": "string"}
    collection = "multi" if delimiter is None else _COLLECTIONS[delimiter]
    items = _primitive(found["items"])
    items.pop("description", None)
    return _primitive(found) | {"collectionFormat": collection, "items": items}


def _primitive(found: Schema) -> Schema:
    """Return a property as Swagger 2.0 allows it outside a body."""
    if found.get("type") in _PRIMITIVE:
        allowed = {key: value for key, value in found.items() if key in _RULES or key.startswith("x-")}
        return _described(found) | allowed
    if "type" in found or "$ref" in found:
        return _json(found)
    return _described(found) | {"type": "string", "format": "any"}


def _json(found: Schema) -> Schema:
    """Return what a structure is outside a body: JSON text."""
    return _described(found) | {
        "type": "string",
        "minLength": 2,
        "format": "json-array" if found.get("type") == "array" else "json",
    }


def _described(found: Schema) -> Schema:
    return {"description": found["description"]} if "description" in found else {}
