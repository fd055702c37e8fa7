"""Checks which differences from DEEPaaS 2.6 affect a model."""

import inspect
import re
from collections.abc import Callable, Iterator

from marshmallow import fields
from marshmallow.fields import Field

from deepaas.errors import ModelLoadError
from deepaas.model.arguments import Arguments
from deepaas.model.fields import is_file
from deepaas.model.findings import Finding, Level
from deepaas.model.model import LoadedModel
from deepaas.model.rendering import JSON
from deepaas.model.signatures import has_user_function

ModelPredicate = Callable[[LoadedModel], bool]


def check_compatibility(model: LoadedModel) -> Iterator[Finding]:
    """Report the differences that affect this model or its clients."""
    found = [text for touches, text in _DIFFERENCES if touches(model)]
    for text in found:
        yield Finding(Level.CHANGED, "2.6", text)
    if not found:
        yield Finding(Level.OK, "2.6", "No known difference affects this model.")


def _iterate_arguments(model: LoadedModel, *functions: str) -> Iterator[Arguments]:
    for function in functions:
        if has_user_function(model, function):
            try:
                yield model.get_arguments(function)
            except ModelLoadError:
                continue  # reported by the step "arguments"


def _list_fields(model: LoadedModel, *functions: str) -> list[Field]:
    declared = _iterate_arguments(model, *functions)
    return [field for arguments in declared for field in arguments.fields.values()]


def _list_media_types(model: LoadedModel) -> list[str]:
    accepts = [arguments.accept for arguments in _iterate_arguments(model, "predict")]
    return [choice for accept in accepts if accept for choice in accept.choices]


def _has_file_list_arguments(model: LoadedModel) -> bool:
    declared = _list_fields(model, "predict", "train")
    return any(is_file(field) and isinstance(field, fields.List) for field in declared)


def _has_train_uploads(model: LoadedModel) -> bool:
    return any(map(is_file, _list_fields(model, "train")))


def _negotiates_media_type(model: LoadedModel) -> bool:
    return any(arguments.accept for arguments in _iterate_arguments(model, "predict"))


def _can_return_files(model: LoadedModel) -> bool:
    return any(choice != JSON for choice in _list_media_types(model))


def _can_return_binary_files(model: LoadedModel) -> bool:
    choices = _list_media_types(model)
    return any(not choice.startswith("text/") and not choice.endswith("json") for choice in choices)


def _has_validators(model: LoadedModel) -> bool:
    return any(field.validators for field in _list_fields(model, "predict", "train"))


def _wraps_predictions(model: LoadedModel) -> bool:
    try:
        return has_user_function(model, "predict") and model.schema is None
    except ModelLoadError:
        return False


def _has_no_train_arguments(model: LoadedModel) -> bool:
    return not has_user_function(model, "get_train_args")


def _has_train(model: LoadedModel) -> bool:
    return has_user_function(model, "train")


def _raises_http_errors(model: LoadedModel) -> bool:
    """Search the source of the functions' modules for raised aiohttp errors."""
    functions = [model.get_function(name) for name in ("predict", "train") if has_user_function(model, name)]
    return any(re.search(r"raise (\w+\.)*HTTP[A-Z]", _get_module_source(function)) for function in functions)


def _get_module_source(function: Callable[..., object]) -> str:
    module = inspect.getmodule(inspect.unwrap(function))
    try:
        return inspect.getsource(module) if module else ""
    except (OSError, TypeError):
        return ""


_DIFFERENCES: tuple[tuple[ModelPredicate, str], ...] = (
    (_has_file_list_arguments, "A list of files receives all uploaded files; 2.6 dropped all but the first."),
    (_has_train_uploads, "Files can be uploaded to train(); in 2.6 such a training always failed."),
    (
        _negotiates_media_type,
        (
            "The HTTP Accept header is negotiated, wherever 'accept' is located: the default header of a "
            "browser or library selects the default of 'accept', or its first choice; 2.6 responded with 422."
        ),
    ),
    (_can_return_files, "deepaas-cli writes results that are files; 2.6 lost them."),
    (
        _can_return_binary_files,
        (
            "For media types other than JSON and text, a returned str is treated as a file path only if the "
            "file is in the folder of the call's uploads: return pathlib.Path(…)."
        ),
    ),
    (_has_validators, "deepaas-cli validates arguments as the server does; 2.6 did not."),
    (_has_no_train_arguments, "deepaas-cli works without get_train_args(); 2.6 crashed."),
    (
        _wraps_predictions,
        (
            "Without a schema, 'predictions' is a string with the prediction, as documented for 2.6; with "
            "--predictions json it is the JSON value, as 2.6 actually sent it."
        ),
    ),
    (
        _raises_http_errors,
        "HTTPBadRequest and similar errors are sent with their status and reason; 2.6 hung, or hid them.",
    ),
    (_has_train, "Predictions continue while a training is queued or running; in 2.6 it could block them."),
    (
        _has_train,
        "DELETE cancels a training and keeps its record; in 2.6 it returned 500 and lost the record.",
    ),
)
