"""Checks declared arguments and the API documents that are built from them."""

import logging
import types
from collections.abc import Callable, Iterator
from typing import Any, Self

import marshmallow
from marshmallow.fields import Field

from deepaas import describer as describer_package
from deepaas.describer.introspection import describe_model
from deepaas.errors import ModelLoadError
from deepaas.http.openapi import SpecOptions, build_openapi, build_swagger
from deepaas.log import get_logger
from deepaas.messages import Envelope
from deepaas.model.arguments import Arguments
from deepaas.model.failures import describe_exception
from deepaas.model.fields import is_file
from deepaas.model.findings import Finding, Level, add_period
from deepaas.model.json_encoding import dumps
from deepaas.model.model import LoadedModel
from deepaas.model.signatures import FUNCTIONS, has_user_function

_STEP = "arguments"
_PUBLISHED = SpecOptions("", Envelope.STRING, auth_required=False, debug_enabled=False)


def check_arguments(model: LoadedModel) -> Iterator[Finding]:
    """Check the declared arguments of `predict` and `train`."""
    for function, declaring in FUNCTIONS.items():
        if not has_user_function(model, function):
            continue
        try:
            declared = model.get_arguments(function)
        except ModelLoadError as error:
            yield Finding(
                Level.ERROR,
                _STEP,
                add_period(str(error)),
                f"The describer calls {declaring}() when the server starts.",
                error.detail,
            )
            continue
        names = ", ".join(declared.fields) or "none"
        yield Finding(Level.OK, _STEP, f"{function}() takes {len(declared.fields)}: {names}.")
        for name, field in declared.fields.items():
            yield from _check_field(function, name, field)
        yield from _check_accept(function, declared)


def check_specification(model: LoadedModel) -> Iterator[Finding]:
    """Build both API documents, and encode them as JSON."""
    step = "specification"
    reported = set()
    for kind, document in (("Swagger 2.0", build_swagger), ("OpenAPI 3.1", build_openapi)):
        try:
            size = len(dumps(document([describe_model(model)], _PUBLISHED)))
        except Exception as error:  # noqa: BLE001 - the author's fields may raise anything
            if describe_exception(error) in reported:
                continue  # report each cause once
            reported.add(describe_exception(error))
            yield Finding(
                Level.ERROR,
                step,
                add_period(f"The {kind} document cannot be built: {describe_exception(error)}"),
                "See the findings about arguments and schema: one of their fields cannot be published.",
            )
        else:
            yield Finding(Level.OK, step, f"{kind}: {size} bytes.")


def _check_field(function: str, name: str, field: Field) -> Iterator[Finding]:
    problem = _find_publishing_error(name, field)
    if problem:
        yield Finding(
            Level.ERROR,
            _STEP,
            add_period(f"The argument '{name}' of {function}() cannot be published: {problem}"),
            "Use only numbers, strings, lists and dictionaries in the field's metadata and validators.",
        )
    if not is_file(field) and field.load_default not in (marshmallow.missing, None):
        yield from _check_default(function, name, field)
    if not field.metadata.get("description"):
        yield Finding(
            Level.NOTE,
            _STEP,
            f"The argument '{name}' of {function}() has no description.",
            'Describe it: metadata={"description": "…"}.',
        )


def _find_publishing_error(name: str, field: Field) -> str | None:
    """Build the documents of a model with only this argument; return the error or the first warning."""
    alone = types.SimpleNamespace(get_predict_args=lambda: {name: field}, predict=None)
    documents: list[Callable[..., Any]] = [build_swagger, build_openapi]
    try:
        with _WarningRecorder() as warnings:
            for document in documents:
                dumps(document([describe_model(LoadedModel("model", alone))], _PUBLISHED))
    except Exception as error:  # noqa: BLE001 - the author's field may raise anything
        return describe_exception(error)
    return next(iter(warnings.messages), None)


class _WarningRecorder(logging.Handler):
    """Captures the log messages about fields that cannot be published, instead of their usual handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self._logger = get_logger(describer_package.__name__)

    def __enter__(self) -> Self:
        self._logger.addHandler(self)
        self._logger.propagate = False
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.propagate = True
        self._logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def _check_default(function: str, name: str, field: Field) -> Iterator[Finding]:
    """Check that the default passes the validators; marshmallow does not validate defaults."""
    default = field.load_default() if callable(field.load_default) else field.load_default
    try:
        for validator in field.validators:
            validator(default)
    except Exception as error:  # noqa: BLE001 - the author's validators may raise anything
        reason = (
            " ".join(map(str, error.messages)) if isinstance(error, marshmallow.ValidationError) else error
        )
        yield Finding(
            Level.WARNING,
            _STEP,
            f"The default of '{name}' of {function}(), {default!r}, is not allowed: {reason}",
            "A client that sends this value gets an error: change the default or the validator.",
        )


def _check_accept(function: str, declared: Arguments) -> Iterator[Finding]:
    accept = declared.accept
    if accept and not accept.choices:
        yield Finding(
            Level.WARNING,
            _STEP,
            f"The argument 'accept' of {function}() has no choices: no media type can be negotiated.",
            'Give it validate=validate.OneOf(["application/json", "image/png"]).',
        )
