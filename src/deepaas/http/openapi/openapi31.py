"""OpenAPI 3.1: parameters have a schema; files and structures go into the body."""

from typing import Any

from deepaas.describer.description import ArgumentDescription, FunctionDescription, Schema
from deepaas.http.openapi.builder import SpecBuilder, get_header_descriptions
from deepaas.http.openapi.null_values import X_NULL_DEFAULT, add_null_default, remove_null
from deepaas.http.openapi.operations import JSON, OperationSpec, ParameterSpec, ResponseSpec
from deepaas.http.openapi.schemas import TEXT, create_array
from deepaas.http.request_id import REQUEST_ID_HEADER
from deepaas.model.stream_encoding import EVENT_STREAM

_MULTIPART = "multipart/form-data"
_PARAMETER_STYLES = {",": "form", " ": "spaceDelimited", "|": "pipeDelimited"}


class OpenApi31Builder(SpecBuilder):
    """Builds the document for current clients."""

    specification_version = "3.1.0"
    ref_prefix = "#/components/schemas/"
    always_names_predictions = True

    def build_arguments(self, function: FunctionDescription) -> dict[str, Any]:
        """Return arguments that are sent as text as parameters, and the others as a body."""
        in_body = [argument for argument in function.arguments if argument.is_file or argument.is_structure]
        parameters = [
            self._build_argument_parameter(argument)
            for argument in function.arguments
            if argument not in in_body
        ]
        return {"parameters": parameters} | ({"requestBody": self._build_body(in_body)} if in_body else {})

    def _build_argument_parameter(self, argument: ArgumentDescription) -> dict[str, Any]:
        schema = remove_null(self.get_argument_schema(argument))
        description = schema.pop("description", "")
        delimiter = argument.delimiter
        if delimiter is not None and delimiter not in _PARAMETER_STYLES:
            schema = dict(TEXT)
        if argument.has_null_default:
            schema = add_null_default(schema)  # clients send null by omitting the argument
        style = (
            {} if delimiter is None else {"style": _PARAMETER_STYLES.get(delimiter, "form"), "explode": False}
        )
        return {
            "name": argument.key,
            "in": "header" if argument.is_header else "query",
            "required": argument.is_required,
            "description": description,
            "schema": schema,
        } | style

    def _build_body(self, arguments: list[ArgumentDescription]) -> dict[str, Any]:
        required = [argument.key for argument in arguments if argument.is_required]
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {argument.key: self._build_part(argument) for argument in arguments},
        }
        if required:
            schema["required"] = required
        media_type = _MULTIPART if any(argument.is_file for argument in arguments) else JSON
        return {"required": bool(required), "content": {media_type: {"schema": schema}}}

    def _build_part(self, argument: ArgumentDescription) -> Schema:
        if not argument.is_file:
            return self.get_argument_schema(argument)
        file = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
        described: Schema = {"description": argument.text}
        described |= X_NULL_DEFAULT if argument.has_null_default else {}
        return described | ({"type": "array", "items": file} if argument.is_list else file)

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
