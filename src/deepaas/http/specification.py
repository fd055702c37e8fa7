"""The API described for machines: Swagger 2.0, which existing clients read, and OpenAPI 3.1.

Both are made by apispec from the same fields that validate requests and responses.
"""

import warnings
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, NamedTuple

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import fields
from marshmallow.fields import Field

from deepaas.model.arguments import Arguments, is_file, location_of
from deepaas.model.model import Model
from deepaas.model.output import record
from deepaas.model.streaming import EVENTS, LINES, streamed_type

_JSON = "application/json"
_MULTIPART = "multipart/form-data"
_RESPONSE = "ModelPredictionResponse"
_DESCRIPTION = "Serve and train models over REST."


class Published(NamedTuple):
    """What the settings add to what the models say.

    `wraps` says that predictions without a schema are sent as a string.
    """

    base_path: str
    wraps: bool
    wants_token: bool


def swagger(models: Iterable[Model], published: Published) -> dict[str, Any]:
    """Return the Swagger 2.0 document of the API."""
    return _Swagger("2.0", published).document(models, basePath=published.base_path or "/")


def openapi(models: Iterable[Model], published: Published) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the API."""
    return _OpenApi("3.1.0", published).document(models, servers=[{"url": published.base_path or "/"}])


class _Document:
    """What the two versions share: the routes, and apispec for what fields say."""

    def __init__(self, openapi_version: str, published: Published) -> None:
        self._published = published
        plugin = MarshmallowPlugin(schema_name_resolver=_schema_name)  # type: ignore[arg-type]  # None is allowed
        title, release = "DEEPaaS", version("deepaas")
        info = {"description": _DESCRIPTION}
        self.spec = APISpec(title, release, openapi_version, plugins=[plugin], info=info)
        assert plugin.converter is not None
        self._converter = plugin.converter

    def document(self, models: Iterable[Model], **top: Any) -> dict[str, Any]:
        if self._published.wants_token:
            self.spec.components.security_scheme("token", self.token_scheme())
            top["security"] = [{"token": []}]
        with warnings.catch_warnings():
            # Two models may name their nested schemas alike; apispec then numbers them, and warns.
            warnings.simplefilter("ignore", UserWarning)
            self._add_general_paths()
            served = list(models)
            for model in served:
                self._add_model(model, _RESPONSE if len(served) == 1 else f"{_RESPONSE}-{model.name}")
        return record(top | self.spec.to_dict())  # type: ignore[no-any-return]  # a dict stays a dict

    def _add_general_paths(self) -> None:
        for path, summary in (
            ("/", "The versions of the API"),
            ("/v2/", "This version of the API"),
            ("/v2/models/", "The metadata of all models"),
        ):
            self.spec.path(path, operations={"get": self.operation(path, summary, "versions")})

    def _add_model(self, model: Model, response: str) -> None:
        self.spec.components.schema(response, self.response_schema(model))
        root = f"/v2/models/{model.name}"
        name = model.name
        training = [self.uuid_parameter()]
        one = {
            "get": self.operation(f"get {name}", "One training", name, parameters=training),
            "delete": self.operation(f"cancel {name}", "Cancel a training", name, parameters=training),
        }
        self.spec.path(f"{root}/", operations={"get": self.operation(name, "The model's metadata", name)})
        self.spec.path(f"{root}/predict/", operations={"post": self.predict_operation(model, response)})
        trainings = {
            "get": self.operation(f"list {name}", "All trainings", name),
            "post": self.train_operation(model),
        }
        self.spec.path(f"{root}/train/", operations=trainings)
        self.spec.path(f"{root}/train/{{uuid}}", operations=one)

    def predict_operation(self, model: Model, response: str) -> dict[str, Any]:
        operation = self.operation(f"predict {model.name}", "Make a prediction", model.name)
        return operation | self.request(model.predict_arguments) | self.prediction(model, response)

    def train_operation(self, model: Model) -> dict[str, Any]:
        operation = self.operation(f"train {model.name}", "Start a training", model.name)
        return operation | self.request(model.train_arguments)

    def operation(self, name: str, summary: str, tag: str, **more: Any) -> dict[str, Any]:
        responses = {"200": {"description": summary}, "default": self.error_response()}
        return {"operationId": name, "summary": summary, "tags": [tag], "responses": responses} | more

    def response_schema(self, model: Model) -> dict[str, Any]:
        if model.schema is not None:
            return dict(self._converter.schema2jsonschema(model.schema))  # type: ignore[no-untyped-call]  # apispec's
        if model.streams or not self._published.wraps:
            return {"description": "The model's prediction, whatever JSON it is"}
        return {
            "type": "object",
            "properties": {
                "status": {"type": "string", "description": "OK"},
                "predictions": {"type": "string", "description": "The model's prediction, as a string"},
            },
        }

    def property_of(self, field: Field) -> dict[str, Any]:
        return dict(self._converter.field2property(field))

    def request(self, arguments: Arguments) -> dict[str, Any]:
        raise NotImplementedError

    def prediction(self, model: Model, response: str) -> dict[str, Any]:
        raise NotImplementedError

    def token_scheme(self) -> dict[str, Any]:
        raise NotImplementedError

    def error_response(self) -> dict[str, Any]:
        raise NotImplementedError

    def uuid_parameter(self) -> dict[str, Any]:
        raise NotImplementedError


class _Swagger(_Document):
    """Swagger 2.0: a parameter has its type beside its name, and a form's parts are parameters."""

    def request(self, arguments: Arguments) -> dict[str, Any]:
        parameters = [self._parameter(name, field) for name, field in arguments.fields.items()]
        has_files = any(is_file(field) for field in arguments.fields.values())
        return {"parameters": parameters} | ({"consumes": [_MULTIPART]} if has_files else {})

    def _parameter(self, name: str, field: Field) -> dict[str, Any]:
        parameter = {"name": field.data_key or name, "in": "query", "required": field.required}
        if is_file(field):
            described = {"description": field.metadata.get("description", "")}
            return parameter | {"in": "formData", "type": "file"} | described
        if location_of(field) == "headers":
            parameter["in"] = "header"
        found = self.property_of(field)
        if found.get("type") == "array":
            parameter["collectionFormat"] = "csv" if hasattr(field, "delimiter") else "multi"
            found["items"] = _primitive(found.get("items", {}))
        return parameter | _primitive(found)

    def prediction(self, model: Model, response: str) -> dict[str, Any]:
        schema = {"$ref": f"#/definitions/{response}"}
        responses = {"200": {"description": _what_comes(model), "schema": schema}}
        any_type = ["*/*"] if model.predict_arguments.accept else []
        produces = list(dict.fromkeys([*_media_types(model), *any_type]))
        return {"produces": produces, "responses": responses | {"default": self.error_response()}}

    def token_scheme(self) -> dict[str, Any]:
        description = "Bearer, a blank, and the token"
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": description}

    def error_response(self) -> dict[str, Any]:
        return {"description": "What is wrong", "schema": {"type": "object"}}

    def uuid_parameter(self) -> dict[str, Any]:
        return {"name": "uuid", "in": "path", "required": True, "type": "string"}


class _OpenApi(_Document):
    """OpenAPI 3.1: parameters hold a schema, and what is not a text goes into the body."""

    def request(self, arguments: Arguments) -> dict[str, Any]:
        in_body = {name: field for name, field in arguments.fields.items() if _needs_body(field)}
        parameters = [
            self._parameter(name, field) for name, field in arguments.fields.items() if name not in in_body
        ]
        body = {"requestBody": self._body(in_body)} if in_body else {}
        return {"parameters": parameters} | body

    def _parameter(self, name: str, field: Field) -> dict[str, Any]:
        schema = self.property_of(field)
        description = schema.pop("description", "")
        return {
            "name": field.data_key or name,
            "in": "header" if location_of(field) == "headers" else "query",
            "required": field.required,
            "description": description,
            "schema": schema,
        } | ({"style": "form", "explode": False} if hasattr(field, "delimiter") else {})

    def _body(self, in_body: dict[str, Field]) -> dict[str, Any]:
        required = [field.data_key or name for name, field in in_body.items() if field.required]
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {field.data_key or name: self._part(field) for name, field in in_body.items()},
        }
        if required:
            schema["required"] = required
        media_type = _MULTIPART if any(map(is_file, in_body.values())) else _JSON
        return {"required": bool(required), "content": {media_type: {"schema": schema}}}

    def _part(self, field: Field) -> dict[str, Any]:
        if not is_file(field):
            return self.property_of(field)
        file = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
        described = {"description": field.metadata.get("description", "")}
        return described | ({"type": "array", "items": file} if isinstance(field, fields.List) else file)

    def prediction(self, model: Model, response: str) -> dict[str, Any]:
        json_schema = {"$ref": f"#/components/schemas/{response}"}
        content = {
            choice: {"schema": json_schema if choice == _JSON else {}}
            for choice in _media_types(model) or [_JSON]
        }
        answers = {"200": {"description": _what_comes(model), "content": content}}
        return {"responses": answers | {"default": self.error_response()}}

    def token_scheme(self) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer"}

    def error_response(self) -> dict[str, Any]:
        return {"description": "What is wrong", "content": {_JSON: {"schema": {"type": "object"}}}}

    def uuid_parameter(self) -> dict[str, Any]:
        return {"name": "uuid", "in": "path", "required": True, "schema": {"type": "string"}}


def _media_types(model: Model) -> list[str]:
    """Return what a prediction may be sent as."""
    accept = model.predict_arguments.accept
    if model.streams:
        return list(dict.fromkeys(map(streamed_type, accept.choices))) if accept else [LINES, EVENTS]
    return list(accept.choices) if accept else [_JSON]


def _what_comes(model: Model) -> str:
    return "The prediction, item by item" if model.streams else "The prediction"


def _needs_body(field: Field) -> bool:
    structured = isinstance(field, fields.Dict | fields.Nested)
    inner = field.inner if isinstance(field, fields.List) else None
    return is_file(field) or structured or isinstance(inner, fields.Dict | fields.Nested)


def _primitive(found: dict[str, Any]) -> dict[str, Any]:
    """Return a property as Swagger 2.0 allows it outside a body: a structure is sent as JSON text."""
    if found.get("type") in ("string", "number", "integer", "boolean", "array"):
        return {key: value for key, value in found.items() if not (key == "default" and value is None)}
    described = {"description": found["description"]} if "description" in found else {}
    return {"type": "string", "format": "json" if "type" in found or "$ref" in found else "any"} | described


def _schema_name(schema: Any) -> str | None:
    """Name a schema by its class; one made of a dictionary has no name and is written in place."""
    name = (schema if isinstance(schema, type) else type(schema)).__name__
    return None if name == "GeneratedSchema" else name
