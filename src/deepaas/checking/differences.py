"""What is different from DEEPaaS 2.6 for one model: only what this model touches.

It must not know how findings are told.
"""

import inspect
import re
from collections.abc import Callable, Iterator

from marshmallow import fields

from deepaas.checking.contract import defines
from deepaas.checking.finding import Finding, Level
from deepaas.errors import ModelBroken
from deepaas.model.arguments import Arguments, is_file
from deepaas.model.model import Model
from deepaas.model.output import JSON

Touches = Callable[[Model], bool]


def differences(model: Model) -> Iterator[Finding]:
    """Say what changes for this model and its clients."""
    found = [text for touches, text in _ROWS if touches(model)]
    for text in found:
        yield Finding(Level.DIFFERS, "2.6", text)
    if not found:
        yield Finding(Level.OK, "2.6", "Nothing is known to be different for this model.")


def _all_arguments(model: Model) -> Iterator[Arguments]:
    for function in ("predict", "train"):
        if defines(model, function):
            try:
                yield model.arguments(function)
            except ModelBroken:
                continue  # the step of the arguments has said so


def _takes_lists_of_files(model: Model) -> bool:
    return any(
        is_file(field) and isinstance(field, fields.List)
        for arguments in _all_arguments(model)
        for field in arguments.fields.values()
    )


def _trains_on_uploads(model: Model) -> bool:
    return defines(model, "train") and any(
        is_file(field) for arguments in _of(model, "train") for field in arguments.fields.values()
    )


def _negotiates(model: Model) -> bool:
    return any(arguments.accept for arguments in _of(model, "predict"))


def _returns_files(model: Model) -> bool:
    accepts = [arguments.accept for arguments in _of(model, "predict")]
    return any(choice != JSON for accept in accepts if accept for choice in accept.choices)


def _returns_files_other_than_texts(model: Model) -> bool:
    accepts = [arguments.accept for arguments in _of(model, "predict")]
    choices = [choice for accept in accepts if accept for choice in accept.choices]
    return any(not choice.startswith("text/") and not choice.endswith("json") for choice in choices)


def _validates(model: Model) -> bool:
    return any(field.validators for one in _all_arguments(model) for field in one.fields.values())


def _wraps(model: Model) -> bool:
    try:
        return defines(model, "predict") and model.schema is None
    except ModelBroken:
        return False


def _has_no_train_arguments(model: Model) -> bool:
    return not defines(model, "get_train_args")


def _trains(model: Model) -> bool:
    return defines(model, "train")


def _raises_http_errors(model: Model) -> bool:
    """Look into the module of each function for errors of aiohttp that it raises."""
    functions = [model.function(name) for name in ("predict", "train") if defines(model, name)]
    return any(re.search(r"raise (\w+\.)*HTTP[A-Z]", _source_of(function)) for function in functions)


def _source_of(function: Callable[..., object]) -> str:
    module = inspect.getmodule(inspect.unwrap(function))
    try:
        return inspect.getsource(module) if module else ""
    except (OSError, TypeError):
        return ""


def _of(model: Model, function: str) -> Iterator[Arguments]:
    if defines(model, function):
        try:
            yield model.arguments(function)
        except ModelBroken:
            return


_ROWS: tuple[tuple[Touches, str], ...] = (
    (_takes_lists_of_files, "A list of files receives all that are sent; 2.6 dropped all but the first."),
    (_trains_on_uploads, "A file can be uploaded to train(); in 2.6 such a training always failed."),
    (
        _negotiates,
        (
            "The HTTP Accept header is negotiated, wherever 'accept' is located: a browser's or a library's "
            "own header gets the default of 'accept', or its first choice; 2.6 answered 422."
        ),
    ),
    (_returns_files, "deepaas-cli writes results that are files; 2.6 lost them."),
    (
        _returns_files_other_than_texts,
        (
            "For a media type other than JSON and text, a str is not opened as the path of a file, unless "
            "the file is in the folder of the call's uploads: return pathlib.Path(…)."
        ),
    ),
    (_validates, "deepaas-cli validates arguments as the server does; 2.6 did not."),
    (_has_no_train_arguments, "deepaas-cli works although there is no get_train_args(); 2.6 crashed."),
    (
        _wraps,
        (
            "Without a schema, 'predictions' is a string that holds the prediction, as 2.6 documents; with "
            "--predictions json it is the JSON value, as 2.6 really sent it."
        ),
    ),
    (
        _raises_http_errors,
        "HTTPBadRequest and its like are answered with their status and reason; 2.6 hung, or hid them.",
    ),
    (_trains, "Predictions go on while a training is queued or runs; in 2.6 it could block them."),
    (_trains, "DELETE cancels a training and its record stays readable; in 2.6 it was a 500, and lost."),
)
