"""OpenAPI 3.1: parameters have a schema; files and structures go into the body."""

from typing import Any

from marshmallow import fields
from marshmallow.fields import Field

from deepaas.http.openapi.builder import SpecBuilder, get_header_descriptions, is_required
from deepaas.http.openapi.converter import has_null_default
from deepaas.http.openapi.field_schemas import X_NULL_DEFAULT, add_null_default, remove_null
from deepaas.http.openapi.operations import JSON, OperationSpec, ParameterSpec, ResponseSpec
from deepaas.http.openapi.schemas import TEXT, Schema, create_array
from deepaas.http.request_id import REQUEST_ID_HEADER
from deepaas.model.arguments import Arguments
from deepaas.model.fields import get_field_delimiter, is_file
from deepaas.model.stream_encoding import EVENT_STREAM

_MULTIPART = "multipart/form-data"
_PARAMETER_STYLES = {",": "form", " ": "spaceDelimited", "|": "pipeDelimited"}
_STRUCTURE_FIELDS = (fields.Mapping, fields.Nested, fields.List, fields.Tuple)


class OpenApi31Builder(SpecBuilder):
    """Builds the document for current clients."""

    specification_version = "3.1.0"
    ref_prefix = "#/components/schemas/"
    always_names_predictions = True

    def build_arguments(self, arguments: Arguments) -> dict[str, Any]:
        """Return arguments that are sent as text as parameters, and the others as a body."""
        in_body = {name: field for name, field in arguments.fields.items() if _needs_body(field)}
        parameters = [
            self._build_argument_parameter(arguments, name, field)
            for name, field in arguments.fields.items()
            if name not in in_body
        ]
        return {"parameters": parameters} | ({"requestBody": self._build_body(in_body)} if in_body else {})

    def _build_argument_parameter(self, arguments: Arguments, name: str, field: Field) -> dict[str, Any]:
        schema = remove_null(self.field_schemas.describe_field(field))
        description = schema.pop("description", "")
        key = field.data_key or name
        delimiter = get_field_delimiter(field)
        if delimiter is not None and delimiter not in _PARAMETER_STYLES:
            schema = dict(TEXT)
        if has_null_default(field):
            schema = add_null_default(schema)  # clients send null by omitting the argument
        style = (
            {} if delimiter is None else {"style": _PARAMETER_STYLES.get(delimiter, "form"), "explode": False}
        )
        return {
            "name": key,
            "in": "header" if arguments.is_header(key) else "query",
            "required": is_required(arguments, field, key),
            "description": description,
            "schema": schema,
        } | style

    def _build_body(self, body_fields: dict[str, Field]) -> dict[str, Any]:
        required = [field.data_key or name for name, field in body_fields.items() if field.required]
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {
                field.data_key or name: self._build_part(field) for name, field in body_fields.items()
            },
        }
        if required:
            schema["required"] = required
        media_type = _MULTIPART if any(map(is_file, body_fields.values())) else JSON
        return {"required": bool(required), "content": {media_type: {"schema": schema}}}

    def _build_part(self, field: Field) -> Schema:
        if not is_file(field):
            return self.field_schemas.describe_field(field)
        file = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
        described = {"description": field.metadata.get("description", "")}
        described |= X_NULL_DEFAULT if has_null_default(field) else {}
        return described | ({"type": "array", "items": file} if isinstance(field, fields.List) else file)

    def build_produces(self, operation: OperationSpec) -> dict[str, Any]:  # noqa: ARG002 - each response lists them
        """Return nothing: in OpenAPI 3.1, each response lists its media types."""
        return {}

    def build_response(self, response: ResponseSpec) -> dict[str, Any]:
        """Return the description of a response."""
        headers = {
            name: {
                "description": description,
                "required": name in (REQUEST_ID_HEADER, *response.required_headers),
                "schema": {"type": "string"},
            }
            for name, description in get_header_descriptions(response).items()
        }
        described: dict[str, Any] = {"description": response.description, "headers": headers}
        if response.content is not None:
            described["content"] = {
                media_type: {"schema": self._build_media_type_schema(media_type, response)}
                for media_type in response.media_types
            }
        return described

    def _build_media_type_schema(self, media_type: str, response: ResponseSpec) -> Schema:
        """Return the schema of a body of this media type; for an event stream, the schema of one event."""
        schema = self.get_content_schema(response)
        if media_type == JSON:
            return create_array(schema) if response.is_list else schema
        if media_type == EVENT_STREAM:
            return schema if response.is_list else {}
        return schema if schema.get("type") == "string" else {"type": "string", "format": "binary"}

    def build_parameter(self, parameter: ParameterSpec) -> dict[str, Any]:
        """Return the description of a parameter of the server."""
        return {
            "name": parameter.name,
            "in": parameter.location,
            "required": parameter.location == "path",
            "description": parameter.description,
            "schema": parameter.schema,
        }

    def build_security_scheme(self) -> dict[str, Any]:
        """Return the description of how clients send a token."""
        return {"type": "http", "scheme": "bearer"}


def _needs_body(field: Field) -> bool:
    """Return whether the argument is neither a text nor a list of texts."""
    if isinstance(field, fields.List):
        return is_file(field) or _is_structure(field.inner)
    return is_file(field) or _is_structure(field)


def _is_structure(field: Field) -> bool:
    is_single = isinstance(field, fields.Pluck) and not field.many
    return isinstance(field, _STRUCTURE_FIELDS) and not is_single and get_field_delimiter(field) is None
