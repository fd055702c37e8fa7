"""Describes a loaded model as plain data, with JSON Schemas of its arguments and predictions."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from apispec import APISpec
from marshmallow import fields
from marshmallow.fields import Field

from deepaas.describer.converter import FieldPlugin, has_null_default
from deepaas.describer.description import (
    SPECIFICATION_VERSIONS,
    ArgumentDescription,
    FunctionDescription,
    ModelDescription,
    ObjectState,
    Schema,
)
from deepaas.describer.field_schemas import FieldSchemas
from deepaas.describer.field_states import NotPlainError, capture_field, create_placeholder
from deepaas.describer.schema_names import to_identifier
from deepaas.model import rendering
from deepaas.model.arguments import Arguments
from deepaas.model.fields import get_field_delimiter, is_file
from deepaas.model.model import LoadedModel

_FUNCTIONS = ("predict", "predict_batch", "train", "warm", "get_metadata")
_STRUCTURE_FIELDS = (fields.Mapping, fields.Nested, fields.List, fields.Tuple)
_T = TypeVar("_T")


class _Document(NamedTuple):
    """Collects the named schemas that a model's fields refer to, for one version of the specification."""

    spec: APISpec
    field_schemas: FieldSchemas

    @property
    def components(self) -> Mapping[str, Schema]:
        return _to_json(self.spec.components.schemas)


def describe_model(model: LoadedModel, findings: Iterable[str] = ()) -> ModelDescription:
    """Return the description of a model. Raise `ModelLoadError` if arguments or schema are invalid."""
    documents = {version: _create_document(version) for version in SPECIFICATION_VERSIONS}
    with warnings.catch_warnings():
        # apispec warns when it numbers nested schemas of the same name.
        warnings.simplefilter("ignore", UserWarning)
        predict = _describe_function(model.predict_arguments, documents)
        train = _describe_function(model.train_arguments, documents)
        schema = model.schema
        predictions = (
            _describe(documents, lambda document: document.field_schemas.describe_schema(schema))
            if schema is not None
            else None
        )
    return ModelDescription(
        name=model.name,
        functions=frozenset(filter(model.implements, _FUNCTIONS)),
        predict_is_generator=model.predict_is_generator,
        predict=predict,
        train=train,
        prediction_schemas=predictions,
        components={version: document.components for version, document in documents.items()},
        findings=tuple(findings),
    )


def _describe_function(declared: Arguments, documents: Mapping[str, _Document]) -> FunctionDescription:
    states = {name: _capture_or_none(field) for name, field in declared.fields.items()}
    described = tuple(
        _describe_argument(name, field, states[name], declared, documents)
        for name, field in declared.fields.items()
    )
    return FunctionDescription(described, declared.accept, runs_user_code=None in states.values())


def _capture_or_none(field: Field) -> ObjectState | None:
    try:
        return capture_field(field)
    except (NotPlainError, RecursionError):
        return None


def _describe_argument(
    name: str,
    field: Field,
    state: ObjectState | None,
    declared: Arguments,
    documents: Mapping[str, _Document],
) -> ArgumentDescription:
    key = field.data_key or name
    return ArgumentDescription(
        name=name,
        key=key,
        field=state or create_placeholder(field),
        schemas=_describe(documents, lambda document: document.field_schemas.describe_field(field)),
        text=str(field.metadata.get("description", "")),
        is_required=bool(field.required) and not declared.is_negotiated(key),
        is_header=declared.is_header(key),
        has_null_default=has_null_default(field),
        is_file=is_file(field),
        is_list=isinstance(field, fields.List),
        is_tuple=isinstance(field, fields.Tuple),
        is_structure=_is_structure(field.inner if isinstance(field, fields.List) else field),
        delimiter=get_field_delimiter(field),
    )


def _is_structure(field: Field) -> bool:
    is_single = isinstance(field, fields.Pluck) and not field.many
    return isinstance(field, _STRUCTURE_FIELDS) and not is_single and get_field_delimiter(field) is None


def _describe(
    documents: Mapping[str, _Document], describe: Callable[[_Document], Schema]
) -> dict[str, Schema]:
    return {version: _to_json(describe(document)) for version, document in documents.items()}


def _create_document(version: str) -> _Document:
    plugin = FieldPlugin(schema_name_resolver=_resolve_schema_name)  # type: ignore[arg-type]  # None is allowed
    spec = APISpec("", "", version, plugins=[plugin])
    assert plugin.converter is not None
    return _Document(spec, FieldSchemas(plugin.converter))


def _resolve_schema_name(schema: Any) -> str | None:
    """Return a name from the schema's class, or `None` to inline a schema generated from a dictionary."""
    name = (schema if isinstance(schema, type) else type(schema)).__name__
    return None if name == "GeneratedSchema" else to_identifier(name)


def _to_json(schema: _T) -> _T:
    return rendering.to_jsonable_or_repr(schema)  # type: ignore[no-any-return]  # a dict stays a dict
