"""Builds an API document with apispec: the parts that Swagger 2.0 and OpenAPI 3.1 share."""

import abc
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple

from apispec import APISpec

from deepaas.describer.description import ArgumentDescription, FunctionDescription, ModelDescription, Schema
from deepaas.http.openapi import identifiers, operations, schemas
from deepaas.http.openapi.operations import (
    PREDICTION,
    SHARED_RESPONSES,
    OperationSpec,
    ParameterSpec,
    ResponseSpec,
)
from deepaas.http.openapi.schemas import create_object
from deepaas.http.request_id import REQUEST_ID_HEADER
from deepaas.messages import Envelope

_ANY_JSON_SCHEMA: Schema = {"description": "The model's prediction, as any JSON value"}
_DESCRIPTION = "Serve and train models over REST."


class SpecOptions(NamedTuple):
    """Settings that change the document.

    `envelope` is the format of predictions without a schema. With `debug_enabled`, clients can read recent
    output. `disabled_functions` are the functions whose endpoints are disabled.
    """

    base_path: str
    envelope: Envelope
    auth_required: bool
    debug_enabled: bool
    disabled_functions: tuple[str, ...] = ()


class SpecBuilder(abc.ABC):
    """Builds one document; each subclass implements one version of the specification."""

    specification_version: str
    ref_prefix: str
    always_names_predictions: bool
    """Whether to publish a named schema of predictions even if the model declares none."""

    def __init__(self, options: SpecOptions) -> None:
        self._options = options
        self.spec = APISpec(
            "DEEPaaS", version("deepaas"), self.specification_version, info={"description": _DESCRIPTION}
        )
        self._identifiers: Mapping[str, str] = {}

    def build(self, models: Iterable[ModelDescription], **extra_keys: Any) -> dict[str, Any]:
        """Return the complete document, with `extra_keys` at its top level."""
        if self._options.auth_required:
            self.spec.components.security_scheme("token", self.build_security_scheme())
            extra_keys["security"] = [{"token": []}]
        served = list(models)
        self._identifiers = identifiers.build_identifiers(model.name for model in served)
        self._add_shared_components()
        self._add_operations(operations.iterate_server_operations(debug_enabled=self._options.debug_enabled))
        for model in served:
            name = identifiers.choose_schema_name(model.name, self._identifiers[model.name])
            self._add_model(
                self._add_components(model), PREDICTION if len(served) == 1 else f"{PREDICTION}-{name}"
            )
        return extra_keys | self.spec.to_dict()

    def create_ref(self, name: str) -> Schema:
        """Return a reference to a published schema."""
        return {"$ref": f"{self.ref_prefix}{name}"}

    def _add_shared_components(self) -> None:
        """Publish our schemas first, so that models' schemas of the same name are renamed."""
        for name, schema in schemas.build_shared_schemas(self.create_ref).items():
            self.spec.components.schema(name, schema)
        for name, response in SHARED_RESPONSES.items():
            self.spec.components.response(name, self.build_response(response))

    def _add_components(self, model: ModelDescription) -> ModelDescription:
        """Publish the model's named schemas, and return the model with the names that they were given.

        Schemas of other models may have the same names. They are shared if all of them are equal.
        """
        published = self.spec.components.schemas
        components = model.components[self.specification_version]
        if all(published.get(name, schema) == schema for name, schema in components.items()):
            new_names = {name: name for name in components}
        else:
            new_names = identifiers.choose_unique_names(components, published)
        renamed: ModelDescription = _rename_refs(
            model, {f"{self.ref_prefix}{old}": f"{self.ref_prefix}{new}" for old, new in new_names.items()}
        )
        for old, schema in renamed.components[self.specification_version].items():
            if new_names[old] not in published:
                self.spec.components.schema(new_names[old], schema)
        return renamed

    def _add_model(self, model: ModelDescription, name: str) -> None:
        """Publish a model; `name` is the name for the schema of its predictions."""
        prediction = self._build_prediction_schema(model)
        is_named = model.prediction_schemas is not None or self.always_names_predictions
        if is_named:
            self.spec.components.schema(name, prediction)
        self._add_operations(
            operations.iterate_model_operations(
                model, name if is_named else prediction, self._options.disabled_functions
            )
        )

    def _add_operations(self, added_operations: Iterable[OperationSpec]) -> None:
        for operation in added_operations:
            self.spec.path(operation.path, operations={operation.method: self._build_operation(operation)})

    def _build_operation(self, operation: OperationSpec) -> dict[str, Any]:
        described: dict[str, Any] = {
            "operationId": operation.build_operation_id(self._identifiers),
            "summary": operation.summary,
            "tags": [operation.tag],
            "responses": self._build_responses(operation),
        }
        if operation.is_public and self._options.auth_required:
            described["security"] = []
        if operation.unavailable_reason:
            described["x-unavailable"] = operation.unavailable_reason
        own = [self.build_parameter(parameter) for parameter in operation.parameters]
        if own:
            described["parameters"] = own
        if operation.arguments:
            described |= self.build_arguments(operation.arguments)
        return described | self.build_produces(operation)

    def _build_responses(self, operation: OperationSpec) -> dict[str, Any]:
        responses = dict(operation.responses) | {405: operations.METHOD_NOT_ALLOWED}
        if self._options.auth_required and not operation.is_public:
            responses |= {401: operations.NOT_AUTHENTICATED, 403: operations.NOT_ALLOWED}
        described = {
            str(status): spec if isinstance(spec, str) else self.build_response(spec)
            for status, spec in sorted(responses.items())
        }
        return described | {"default": operations.ERROR}

    def _build_prediction_schema(self, model: ModelDescription) -> Schema:
        if model.prediction_schemas is not None:
            return dict(model.prediction_schemas[self.specification_version])
        if model.predict_is_generator:
            return dict(_ANY_JSON_SCHEMA)
        is_string = self._options.envelope is Envelope.STRING
        predictions = {"type": "string", "description": "The model's prediction, as a string"}
        return create_object(
            {
                "status": {"type": "string", "description": "OK"},
                "predictions": predictions if is_string else dict(_ANY_JSON_SCHEMA),
            }
        )

    def get_argument_schema(self, argument: ArgumentDescription) -> Schema:
        """Return the JSON Schema of an argument."""
        return dict(argument.schemas[self.specification_version])

    def get_content_schema(self, response: ResponseSpec) -> Schema:
        """Return the schema of a response's body, or of one item if the body is a list."""
        return (
            self.create_ref(response.content)
            if isinstance(response.content, str)
            else dict(response.content or {})
        )

    @abc.abstractmethod
    def build_arguments(self, function: FunctionDescription) -> dict[str, Any]:
        """Return the keys of an operation that describe a function's arguments."""

    @abc.abstractmethod
    def build_produces(self, operation: OperationSpec) -> dict[str, Any]:
        """Return the keys of an operation that list the media types of its responses, if any."""

    @abc.abstractmethod
    def build_response(self, response: ResponseSpec) -> dict[str, Any]:
        """Return the description of a response."""

    @abc.abstractmethod
    def build_parameter(self, parameter: ParameterSpec) -> dict[str, Any]:
        """Return the description of a parameter of the server."""

    @abc.abstractmethod
    def build_security_scheme(self) -> dict[str, Any]:
        """Return the description of how clients send a token."""


def get_header_descriptions(response: ResponseSpec) -> dict[str, str]:
    """Return the descriptions of a response's headers, by name."""
    return {REQUEST_ID_HEADER: "Id of the request, as in the server's log"} | dict(response.headers)


def _rename_refs(value: Any, new_refs: Mapping[str, str]) -> Any:
    """Return a copy of a description or of a part of it with other references to schemas."""
    if isinstance(value, dict):
        renamed = {key: _rename_refs(item, new_refs) for key, item in value.items()}
        ref = value.get("$ref")
        return renamed | {"$ref": new_refs.get(ref, ref)} if isinstance(ref, str) else renamed
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_rename_refs(item, new_refs) for item in value))
    return (
        type(value)(_rename_refs(item, new_refs) for item in value) if type(value) in (list, tuple) else value
    )
