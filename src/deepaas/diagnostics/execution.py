"""Checks by running the model: import, warm, predict."""

import contextlib
import mimetypes
import os
import re
import shutil
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import deepaas
from deepaas.diagnostics.findings import CheckRequest, Finding, Level, ResourceUsage, add_period
from deepaas.diagnostics.sample_arguments import create_sample_arguments
from deepaas.diagnostics.signatures import has_user_function
from deepaas.errors import InvalidArguments, InvalidResponse, ModelLoadError
from deepaas.messages import Body, Call, Envelope, Failure
from deepaas.model.arguments import Arguments, ArgumentSources, is_file
from deepaas.model.model import Model
from deepaas.model.v2.wrapper import UploadedFile
from deepaas.scratch import ScratchFolder
from deepaas.trainings.record import display_arguments
from deepaas.workers.executor import CallExecutor, StreamSender
from deepaas.workers.shared_progress import SharedProgress

_SLOW_IMPORT_S = 5.0
_LARGE_IMPORT_MIB = 500.0
_IMPORT = "import"
_PREDICT = "predict"
_MAX_ARGUMENTS_LENGTH = 200
_ARGUMENTS_HINT = "Give arguments that make sense: --with NAME=VALUE, for a file its path."
_RESPONSE_HINT = "Change what predict() returns, so that JSON, its schema and the media type can express it."
_SIGNATURE_HINT = "It was called with what is declared and given: see what is said of its functions above."
_REJECTION_HINT = f"Where it is the arguments' fault, raise aiohttp.web.HTTPBadRequest. {_ARGUMENTS_HINT}"
_PACKAGE_FOLDER = str(Path(deepaas.__file__).parent)
_TRACEBACK_FILE = re.compile(r'^  File "([^"]+)", line', re.MULTILINE)
_CLIENT_ERRORS = range(400, 500)


def check_import(request: CheckRequest) -> tuple[Model | None, list[Finding]]:
    """Import the model, and return it, if that works, with what was found."""
    threads = threading.active_count()
    try:
        with ResourceUsage() as measured:
            model = Model.load(request.name, request.target)
    except ModelLoadError as error:
        advice = f"{_suggest_import_fix(error.__cause__, request.target)} Nothing else can be checked."
        return None, [Finding(Level.ERROR, _IMPORT, add_period(str(error)), advice, error.detail)]
    found = [_rate_import(measured)]
    if threading.active_count() > threads:
        advice = (
            "The server has them too, and each of its processes; start them in warm() if that is too often."
        )
        found.append(Finding(Level.NOTE, _IMPORT, "Importing it starts threads.", advice))
    return model, found


def _suggest_import_fix(error: BaseException | None, target: str) -> str:
    """Return what to do about an error that an import ended with."""
    path, _, attribute = target.partition(":")
    if isinstance(error, ModuleNotFoundError) and error.name:
        missing = error.name.partition(".")[0]
        if missing == path.partition(".")[0]:
            return f"Name a module that {sys.executable} finds, or install its package."
        install = f"{sys.executable} -m pip install {missing}"
        return f"If it is a package that is not installed: {install} (some are called otherwise there)."
    is_made_here = error is not None and len(traceback.extract_tb(error.__traceback__)) == 1
    if attribute and is_made_here and isinstance(error, TypeError) and "__init__() missing" in str(error):
        return "A class is instantiated without arguments: give those of __init__() defaults."
    return f"Import it in {sys.executable} to see more."


def _rate_import(usage: ResourceUsage) -> Finding:
    is_heavy = usage.seconds > _SLOW_IMPORT_S or usage.mebibytes > _LARGE_IMPORT_MIB
    advice = (
        "The server imports the model too, only to read what it declares: import what is heavy in the "
        "functions that use it."
    )
    level = Level.WARNING if is_heavy else Level.OK
    return Finding(level, _IMPORT, f"It took {usage}.", advice if is_heavy else "")


def check_warm(model: Model) -> Iterator[Finding]:
    """Warm the model, as every worker does."""
    step = "warm"
    if not has_user_function(model, "warm"):
        yield Finding(
            Level.NOTE,
            step,
            "There is no warm(): the first prediction in each worker loads what it needs.",
            "Load it in warm(), and the first caller does not wait.",
        )
        return
    with ResourceUsage() as measured:
        model.warm()
    yield Finding(Level.OK, step, f"It took {measured}, in every worker.")


def is_callable(model: Model) -> bool:
    """Say whether what a prediction needs of the model's declarations can be made."""
    try:
        _ = model.predict_arguments, model.schema
    except Exception:  # noqa: BLE001 - the author's code may raise anything
        return False
    return True


def check_predict(model: Model, request: CheckRequest) -> Iterator[Finding]:
    """Predict once for each media type, with arguments that were given or are made up."""
    if not has_user_function(model, "predict"):
        return
    arguments = model.predict_arguments
    for name in dict(request.arguments):
        if not arguments.has_argument(name):
            yield Finding(Level.WARNING, _PREDICT, f"There is no argument '{name}': it is left out.")
    for number, media_type in enumerate(_list_media_types(arguments)):
        scratch = ScratchFolder(f"{request.scratch}/{number}")
        try:
            raw = _build_raw_arguments(arguments, request, scratch, media_type)
        except OSError as error:
            yield Finding(
                Level.ERROR,
                _PREDICT,
                add_period(f"What --with names cannot be read: {error}"),
                _ARGUMENTS_HINT,
            )
            return
        yield _check_prediction(model, raw, media_type, scratch)


def _list_media_types(arguments: Arguments) -> tuple[str | None, ...]:
    accept = arguments.accept
    return (accept.choices or (accept.default,)) if accept else (None,)


def _build_raw_arguments(
    arguments: Arguments, request: CheckRequest, scratch: ScratchFolder, media_type: str | None
) -> dict[str, Any]:
    raw = create_sample_arguments(arguments, scratch) | arguments.collect(
        _build_argument_sources(arguments, request, scratch)
    )
    accept = arguments.accept
    return raw | ({accept.key: media_type} if accept and media_type else {})


def _build_argument_sources(
    arguments: Arguments, request: CheckRequest, scratch: ScratchFolder
) -> ArgumentSources:
    """Return what was given, as a form gives it; files are copied, since the model may delete them."""
    form: dict[str, list[Any]] = {}
    fields = {field.data_key or name: field for name, field in arguments.fields.items()}
    for key, text in request.arguments:
        is_upload = key in fields and is_file(fields[key])
        form.setdefault(key, []).append(_copy_upload(key, Path(text), scratch) if is_upload else text)
    headers = {key: values[0] for key, values in form.items() if isinstance(values[0], str)}
    return ArgumentSources(form=form, headers=headers)


def _copy_upload(key: str, path: Path, scratch: ScratchFolder) -> UploadedFile:
    copy = scratch.create_file_path(path.name)
    shutil.copyfile(path, copy)
    return UploadedFile(key, str(copy), mimetypes.guess_type(path.name)[0], path.name)


def _check_prediction(
    model: Model, raw: dict[str, Any], media_type: str | None, scratch: ScratchFolder
) -> Finding:
    wanted = f"As {media_type}: " if media_type else ""
    try:
        validated = model.predict_arguments.validate(raw)
    except InvalidArguments as error:
        return Finding(Level.WARNING, _PREDICT, add_period(f"{wanted}{error}"), _ARGUMENTS_HINT)
    call = Call("predict", validated, True, media_type, scratch.path, "-")  # noqa: FBT003
    with ResourceUsage() as measured:
        outcome, streamed = _execute_call(model, call)
    if isinstance(outcome, Failure):
        return _rate_failure(wanted, outcome, validated)
    size = streamed + _get_size(outcome)
    return Finding(Level.OK, _PREDICT, f"{wanted}{size} bytes of {outcome.media_type} in {measured}.")


def _execute_call(model: Model, call: Call) -> tuple[Body | Failure, int]:
    """Run a call as a worker does; return what came of it, and how many bytes were streamed on the way."""
    chunks: list[Any] = []
    marker, shared = SharedProgress.create()
    os.close(shared)
    with contextlib.closing(marker):
        sending = StreamSender(lambda chunk, _: chunks.append(chunk), marker, model.schema)
        reply = CallExecutor(model, sending, Envelope.STRING).execute(call, 1)
    return reply.outcome, sum(len(chunk.content) for chunk in chunks)


def _rate_failure(prefix: str, failed: Failure, arguments: Mapping[str, Any]) -> Finding:
    """Tell arguments that the model refuses from a fault of the model's."""
    text = f"{prefix}it failed with {failed.status}: {failed.message}  [{_format_arguments(arguments)}]"
    if failed.status in _CLIENT_ERRORS:
        return Finding(Level.WARNING, _PREDICT, text, _ARGUMENTS_HINT)
    return Finding(Level.ERROR, _PREDICT, text, _suggest_fix(failed.traceback), failed.traceback)


def _suggest_fix(trace: str) -> str:
    """Return what to do about an error; what code of ours raised is not the arguments' fault."""
    places = _TRACEBACK_FILE.findall(trace)
    if not places or not places[-1].startswith(_PACKAGE_FOLDER):
        return _REJECTION_HINT
    return (
        _RESPONSE_HINT
        if f"\n{InvalidResponse.__module__}.{InvalidResponse.__name__}: " in trace
        else _SIGNATURE_HINT
    )


def _format_arguments(arguments: Mapping[str, Any]) -> str:
    said = ", ".join(f"{name}={value!r}" for name, value in display_arguments(arguments).items())
    return said if len(said) <= _MAX_ARGUMENTS_LENGTH else f"{said[:_MAX_ARGUMENTS_LENGTH]}…"


def _get_size(body: Body) -> int:
    return Path(body.path).stat().st_size if body.path else len(body.content)
