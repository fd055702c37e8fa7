"""OpenAPI 3.1: parameters hold a schema, and what is not a text goes into the body."""

from typing import Any

from marshmallow import fields
from marshmallow.fields import Field

from deepaas.http.specification.converter import has_null_default
from deepaas.http.specification.document import Document, headers_of, is_always_sent, is_required
from deepaas.http.specification.operations import JSON, Answer, Operation, Parameter
from deepaas.http.specification.properties import X_NULL_DEFAULT, with_null_default, without_null
from deepaas.http.specification.schemas import TEXT, Schema, array
from deepaas.model.arguments import Arguments, delimiter_of, is_file
from deepaas.model.streaming import EVENTS

_MULTIPART = "multipart/form-data"
_STYLES = {",": "form", " ": "spaceDelimited", "|": "pipeDelimited"}
_STRUCTURES = (fields.Mapping, fields.Nested, fields.List, fields.Tuple)


class OpenApi(Document):
    """The document for clients of today."""

    specification_version = "3.1.0"
    references = "#/components/schemas/"
    names_every_prediction = True

    def request(self, arguments: Arguments) -> dict[str, Any]:
        """Return what is a text as parameters, and the rest as a body."""
        in_body = {name: field for name, field in arguments.fields.items() if _needs_body(field)}
        parameters = [
            self._parameter(arguments, name, field)
            for name, field in arguments.fields.items()
            if name not in in_body
        ]
        return {"parameters": parameters} | ({"requestBody": self._body(in_body)} if in_body else {})

    def _parameter(self, arguments: Arguments, name: str, field: Field) -> dict[str, Any]:
        schema = without_null(self.property_of(field))
        description = schema.pop("description", "")
        key = field.data_key or name
        delimiter = delimiter_of(field)
        if delimiter is not None and delimiter not in _STYLES:
            schema = dict(TEXT)
        if has_null_default(field):
            schema = with_null_default(schema)  # which clients express by leaving the argument out
        style = {} if delimiter is None else {"style": _STYLES.get(delimiter, "form"), "explode": False}
        return {
            "name": key,
            "in": "header" if arguments.is_header(key) else "query",
            "required": is_required(arguments, field, key),
            "description": description,
            "schema": schema,
            # What is sent in a JSON body may be null all the same, and clients of ours want to know.
            **({"x-nullable": True} if field.allow_none else {}),
        } | style

    def _body(self, in_body: dict[str, Field]) -> dict[str, Any]:
        required = [field.data_key or name for name, field in in_body.items() if field.required]
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {field.data_key or name: self._part(field) for name, field in in_body.items()},
        }
        if required:
            schema["required"] = required
        media_type = _MULTIPART if any(map(is_file, in_body.values())) else JSON
        return {"required": bool(required), "content": {media_type: {"schema": schema}}}

    def _part(self, field: Field) -> Schema:
        if not is_file(field):
            return self.property_of(field)
        file = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
        described = {"description": field.metadata.get("description", "")}
        described |= X_NULL_DEFAULT if has_null_default(field) else {}
        return described | ({"type": "array", "items": file} if isinstance(field, fields.List) else file)

    def produced(self, operation: Operation) -> dict[str, Any]:  # noqa: ARG002 - each response says it
        """Return nothing: every response says its own media types."""
        return {}

    def response(self, answer: Answer) -> dict[str, Any]:
        """Return a response."""
        headers = {
            name: {
                "description": description,
                "required": is_always_sent(name, answer),
                "schema": {"type": "string"},
            }
            for name, description in headers_of(answer).items()
        }
        written: dict[str, Any] = {"description": answer.description, "headers": headers}
        if answer.content is not None:
            written["content"] = {
                media_type: {"schema": self._of_media_type(media_type, answer)}
                for media_type in answer.media_types
            }
        return written

    def _of_media_type(self, media_type: str, answer: Answer) -> Schema:
        """Return what a body of this media type is; of events, what one of them is."""
        schema = self.content_of(answer)
        if media_type == JSON:
            return array(schema) if answer.many else schema
        if media_type == EVENTS:
            return schema if answer.many else {}
        return schema if schema.get("type") == "string" else {"type": "string", "format": "binary"}

    def own_parameter(self, parameter: Parameter) -> dict[str, Any]:
        """Return a parameter of the server's own."""
        return {
            "name": parameter.name,
            "in": parameter.place,
            "required": parameter.place == "path",
            "description": parameter.description,
            "schema": parameter.schema,
        }

    def token_scheme(self) -> dict[str, Any]:
        """Return how a token is sent."""
        return {"type": "http", "scheme": "bearer"}


def _needs_body(field: Field) -> bool:
    """Say whether the argument is no text, nor a list of texts."""
    if isinstance(field, fields.List):
        return is_file(field) or _is_structure(field.inner)
    return is_file(field) or _is_structure(field)


def _is_structure(field: Field) -> bool:
    is_single = isinstance(field, fields.Pluck) and not field.many
    return isinstance(field, _STRUCTURES) and not is_single and delimiter_of(field) is None
