"""Checks a model's functions, metadata and schema."""

import inspect
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import marshmallow
from marshmallow.fields import Field

from deepaas.errors import ModelLoadError
from deepaas.model.failures import describe_exception
from deepaas.model.findings import Finding, Level, ResourceUsage, add_period
from deepaas.model.json_encoding import to_jsonable
from deepaas.model.model import LoadedModel
from deepaas.model.v2.base import BaseModel

_METADATA_KEYS = ("name", "author", "license", "description", "version")
_SLOW_METADATA_S = 1.0
FUNCTIONS = {"predict": "get_predict_args", "train": "get_train_args"}


def has_user_function(model: LoadedModel, function: str) -> bool:
    """Return whether the model defines the function itself, rather than inherits it from `BaseModel`."""
    if not model.implements(function):
        return False
    found = getattr(model.get_function(function), "__func__", None)
    return found is None or found is not vars(BaseModel).get(function)


def check_functions(model: LoadedModel, target: str) -> Iterator[Finding]:
    """Check that there is a function to call, and that signatures match the declared arguments."""
    step = "functions"
    there = [name for name in FUNCTIONS if has_user_function(model, name)]
    if not there:
        yield Finding(
            Level.ERROR,
            step,
            "The model has neither predict() nor train(): there is nothing to call.",
            _suggest_location(target),
        )
    else:
        yield Finding(Level.OK, step, f"It has {', '.join(f'{name}()' for name in there)}.")
    for name, declaring in FUNCTIONS.items():
        if has_user_function(model, declaring) and not has_user_function(model, name):
            yield Finding(
                Level.WARNING,
                step,
                f"{declaring}() declares arguments, but there is no {name}().",
                f"Define {name}(), or remove {declaring}().",
            )
    for name in there:
        yield from _check_signature(model, name)


def check_metadata(model: LoadedModel) -> Iterator[Finding]:
    """Check the model's metadata."""
    step = "metadata"
    if not has_user_function(model, "get_metadata"):
        yield Finding(
            Level.WARNING,
            step,
            "There is no get_metadata(): clients and catalogues have no description of the model.",
            "Return a dictionary with name, author, license, description and version.",
        )
        return
    with ResourceUsage() as measured:
        metadata, problem = _call_get_metadata(model)
    if problem:
        yield problem
        return
    yield from _check_expressible(metadata)
    missing = [key for key in _METADATA_KEYS if not metadata.get(key)]
    if missing:
        yield Finding(Level.NOTE, step, f"Missing: {', '.join(missing)}.", "Catalogues show these.")
    if measured.seconds > _SLOW_METADATA_S:
        yield Finding(
            Level.WARNING,
            step,
            f"get_metadata() took {measured}, and is called on every request for the metadata.",
            "Compute slow parts once, and cache them.",
        )
    yield Finding(Level.OK, step, f"{len(metadata)} entries.")


def check_schema(model: LoadedModel) -> Iterator[Finding]:
    """Check the schema of predictions."""
    step = "schema"
    if not has_user_function(model, "predict"):
        return
    try:
        declared = model.schema
    except ModelLoadError as error:
        yield Finding(Level.ERROR, step, add_period(str(error)), "See the message.")
        return
    except Exception as error:  # noqa: BLE001 - the author's fields may raise anything
        yield Finding(
            Level.ERROR,
            step,
            add_period(f"The schema is invalid: {describe_exception(error)}"),
            "Make each of its fields an instance of a marshmallow field, such as fields.Str().",
        )
        return
    if declared is None:
        yield Finding(
            Level.NOTE,
            step,
            "There is no schema: predictions are sent as text, and their content is not documented.",
            "Set schema to a dictionary of marshmallow fields: predictions are then documented and checked.",
        )
    else:
        yield Finding(Level.OK, step, f"{len(declared.fields)} fields: {', '.join(declared.fields)}.")


def _suggest_location(target: str) -> str:
    """Return advice for missing functions, such as the name of a class that has them."""
    path, _, attribute = target.partition(":")
    is_file = path.endswith(".py")
    here = Path(path).stem if is_file else path
    module = sys.modules.get(here)
    for name, found in [] if module is None or attribute else vars(module).items():
        has = [function for function in FUNCTIONS if callable(getattr(found, function, None))]
        if inspect.isclass(found) and f"{found.__module__}.".startswith(f"{here}.") and has:
            named = f"use --model {_to_typed_path(path)}:{name}" if is_file else f"name {path}:{name} instead"
            return f"{_to_typed_path(path)} has a class {name} with {has[0]}(): {named}."
    if is_file:
        return f"Define one of them in {_to_typed_path(path)}."
    return "Define one of them in the entry point's target; if that is a package, import it there."


def _to_typed_path(path: str) -> str:
    """Return the path as a user would type it in the working directory."""
    relative = os.path.relpath(path) if path.endswith(".py") else path
    return f"./{relative}" if path.endswith(".py") and not relative.startswith("..") else path


def _check_expressible(entries: dict[str, object]) -> Iterator[Finding]:
    """Find values that cannot be expressed in JSON; the server sends their `repr`."""
    reasons: list[str] = []
    to_jsonable(entries, lambda _, reason: reasons.append(reason), value_name="the metadata")
    for reason in reasons:
        yield Finding(
            Level.WARNING,
            "metadata",
            add_period(reason),
            "Return only numbers, strings, lists and dictionaries.",
        )


def _call_get_metadata(model: LoadedModel) -> tuple[dict[str, object], Finding | None]:
    try:
        metadata = model.call("get_metadata")
    except Exception as error:  # noqa: BLE001 - user code may raise anything
        return {}, Finding(
            Level.ERROR,
            "metadata",
            add_period(f"get_metadata() failed with {describe_exception(error)}"),
            "It runs in the describer, in any working directory: read package data with importlib.metadata.",
        )
    if not isinstance(metadata, dict):
        kind = type(metadata).__name__
        return {}, Finding(
            Level.ERROR, "metadata", f"get_metadata() returned {kind}.", "Return a dictionary."
        )
    return metadata, None


def _check_signature(model: LoadedModel, name: str) -> Iterator[Finding]:
    """Compare the function's parameters, which are passed by keyword, with the declared arguments."""
    try:
        parameters = inspect.signature(model.get_function(name)).parameters
        declared = model.get_arguments(name).fields
    except (ModelLoadError, ValueError, TypeError):
        return  # reported by the step "arguments", or a C function without a signature
    takes_all = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    by_keyword = {key: one for key, one in parameters.items() if _is_keyword_parameter(one)}
    unknown = [] if takes_all else [argument for argument in declared if argument not in by_keyword]
    for argument in unknown:
        yield Finding(
            Level.ERROR,
            "functions",
            f"{name}() does not take '{argument}', which {FUNCTIONS[name]}() declares.",
            f"Add the parameter to {name}(), or **options for all others.",
        )
    for key, one in by_keyword.items():
        if one.default is inspect.Parameter.empty:
            yield from _check_required_parameter(name, key, declared.get(key))


def _check_required_parameter(name: str, key: str, field: Field | None) -> Iterator[Finding]:
    """Check a parameter without a default: every call must pass it."""
    if field is None:
        yield Finding(
            Level.ERROR,
            "functions",
            f"{name}() needs '{key}', which {FUNCTIONS[name]}() does not declare.",
            f"Declare it, or give the parameter a default: {key}=None.",
        )
    elif not field.required and _has_no_default(field):
        yield Finding(
            Level.WARNING,
            "functions",
            f"{name}() needs '{key}', but a request may omit it.",
            f"Declare it with required=True or load_default=…, or give the parameter a default: {key}=None.",
        )


def _has_no_default(field: Field) -> bool:
    return field.load_default is marshmallow.missing


def _is_keyword_parameter(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
