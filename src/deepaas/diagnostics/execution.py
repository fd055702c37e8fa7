"""Checks that run the model: import, warm, predict."""

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
from deepaas.diagnostics.sample_arguments import create_sample_arguments
from deepaas.errors import InvalidArguments, InvalidResponse, ModelLoadError
from deepaas.messages import Body, Call, Envelope, Failure
from deepaas.model.arguments import Arguments, ArgumentSources
from deepaas.model.fields import is_file
from deepaas.model.findings import CheckRequest, Finding, Level, ResourceUsage, add_period
from deepaas.model.model import LoadedModel
from deepaas.model.signatures import has_user_function
from deepaas.model.v2.wrapper import UploadedFile
from deepaas.scratch import UploadFolder
from deepaas.trainings.record import display_arguments
from deepaas.workers.call_executor import CallExecutor, StreamSender
from deepaas.workers.shared_progress import SharedProgress

_SLOW_IMPORT_S = 5.0
_LARGE_IMPORT_MIB = 500.0
_IMPORT = "import"
_PREDICT = "predict"
_MAX_ARGUMENTS_LENGTH = 200
_ARGUMENTS_HINT = "Pass suitable arguments: --with NAME=VALUE; for a file, VALUE is its path."
_RESPONSE_HINT = "Change what predict() returns, so that JSON, its schema and the media type can express it."
_SIGNATURE_HINT = "It was called with the declared arguments: see the findings about its functions above."
_REJECTION_HINT = f"If the arguments are invalid, raise aiohttp.web.HTTPBadRequest. {_ARGUMENTS_HINT}"
_PACKAGE_FOLDER = str(Path(deepaas.__file__).parent)
_TRACEBACK_FILE = re.compile(r'^  File "([^"]+)", line', re.MULTILINE)
_CLIENT_ERRORS = range(400, 500)


def check_import(request: CheckRequest) -> tuple[LoadedModel | None, list[Finding]]:
    """Import the model; return it, or `None` if that fails, and the findings."""
    threads = threading.active_count()
    try:
        with ResourceUsage() as measured:
            model = LoadedModel.load(request.name, request.target)
    except ModelLoadError as error:
        advice = f"{_suggest_import_fix(error.__cause__, request.target)} Nothing else can be checked."
        return None, [Finding(Level.ERROR, _IMPORT, add_period(str(error)), advice, error.detail)]
    found = [_rate_import(measured)]
    if threading.active_count() > threads:
        advice = "They run in the describer, too; to have them in workers only, start them in warm()."
        found.append(Finding(Level.NOTE, _IMPORT, "Importing it starts threads.", advice))
    return model, found


def _suggest_import_fix(error: BaseException | None, target: str) -> str:
    """Return advice for an import error."""
    path, _, attribute = target.partition(":")
    if isinstance(error, ModuleNotFoundError) and error.name:
        missing = error.name.partition(".")[0]
        if missing == path.partition(".")[0]:
            return f"Name a module that {sys.executable} finds, or install its package."
        install = f"{sys.executable} -m pip install {missing}"
        return f"If the package is not installed: {install} (its name on PyPI may differ)."
    is_made_here = error is not None and len(traceback.extract_tb(error.__traceback__)) == 1
    if attribute and is_made_here and isinstance(error, TypeError) and "__init__() missing" in str(error):
        return "The class is instantiated without arguments: give the parameters of __init__() defaults."
    return f"Import it in {sys.executable} to see the details."


def _rate_import(usage: ResourceUsage) -> Finding:
    is_heavy = usage.seconds > _SLOW_IMPORT_S or usage.mebibytes > _LARGE_IMPORT_MIB
    advice = (
        "The describer imports the model, too, only to read its declarations: import heavy packages in the "
        "functions that use them."
    )
    level = Level.WARNING if is_heavy else Level.OK
    return Finding(level, _IMPORT, f"It took {usage}.", advice if is_heavy else "")


def check_warm(model: LoadedModel) -> Iterator[Finding]:
    """Warm the model, like every worker."""
    step = "warm"
    if not has_user_function(model, "warm"):
        yield Finding(
            Level.NOTE,
            step,
            "There is no warm(): the first prediction in each worker loads what it needs.",
            "Load it in warm(), so that the first client does not wait.",
        )
        return
    with ResourceUsage() as measured:
        model.warm()
    yield Finding(Level.OK, step, f"It took {measured}, in every worker.")


def is_callable(model: LoadedModel) -> bool:
    """Return whether the arguments and the schema of predictions are usable."""
    try:
        _ = model.predict_arguments, model.schema
    except Exception:  # noqa: BLE001 - user code may raise anything
        return False
    return True


def check_predict(model: LoadedModel, request: CheckRequest) -> Iterator[Finding]:
    """Predict once per media type, with the arguments of the request and sample values for the others."""
    if not has_user_function(model, "predict"):
        return
    arguments = model.predict_arguments
    for name in dict(request.arguments):
        if not arguments.has_argument(name):
            yield Finding(Level.WARNING, _PREDICT, f"There is no argument '{name}': ignored.")
    for number, media_type in enumerate(_list_media_types(arguments)):
        scratch = UploadFolder(f"{request.scratch}/{number}")
        try:
            raw = _build_raw_arguments(arguments, request, scratch, media_type)
        except OSError as error:
            yield Finding(
                Level.ERROR,
                _PREDICT,
                add_period(f"Cannot read a file given by --with: {error}"),
                _ARGUMENTS_HINT,
            )
            return
        yield _check_prediction(model, raw, media_type, scratch)


def _list_media_types(arguments: Arguments) -> tuple[str | None, ...]:
    accept = arguments.accept
    return (accept.choices or (accept.default,)) if accept else (None,)


def _build_raw_arguments(
    arguments: Arguments, request: CheckRequest, scratch: UploadFolder, media_type: str | None
) -> dict[str, Any]:
    raw = create_sample_arguments(arguments, scratch) | arguments.collect(
        _build_argument_sources(arguments, request, scratch)
    )
    accept = arguments.accept
    return raw | ({accept.key: media_type} if accept and media_type else {})


def _build_argument_sources(
    arguments: Arguments, request: CheckRequest, scratch: UploadFolder
) -> ArgumentSources:
    """Convert the arguments to form fields and headers; files are copied, since the model may delete them."""
    form: dict[str, list[Any]] = {}
    fields = {field.data_key or name: field for name, field in arguments.fields.items()}
    for key, text in request.arguments:
        is_upload = key in fields and is_file(fields[key])
        form.setdefault(key, []).append(_copy_upload(key, Path(text), scratch) if is_upload else text)
    headers = {key: values[0] for key, values in form.items() if isinstance(values[0], str)}
    return ArgumentSources(form=form, headers=headers)


def _copy_upload(key: str, path: Path, scratch: UploadFolder) -> UploadedFile:
    copy = scratch.create_file_path(path.name)
    shutil.copyfile(path, copy)
    return UploadedFile(key, str(copy), mimetypes.guess_type(path.name)[0], path.name)


def _check_prediction(
    model: LoadedModel, raw: dict[str, Any], media_type: str | None, scratch: UploadFolder
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


def _execute_call(model: LoadedModel, call: Call) -> tuple[Body | Failure, int]:
    """Run a call like a worker; return its outcome and the number of streamed bytes."""
    chunks: list[Any] = []
    marker, shared = SharedProgress.create()
    os.close(shared)
    with contextlib.closing(marker):
        sending = StreamSender(lambda chunk, _: chunks.append(chunk), marker, model.schema)
        reply = CallExecutor(model, sending, Envelope.STRING).execute(call, 1)
    return reply.outcome, sum(len(chunk.content) for chunk in chunks)


def _rate_failure(prefix: str, failed: Failure, arguments: Mapping[str, Any]) -> Finding:
    """Return a warning if the model rejected the arguments (4xx), else an error."""
    text = f"{prefix}it failed with {failed.status}: {failed.message}  [{_format_arguments(arguments)}]"
    if failed.status in _CLIENT_ERRORS:
        return Finding(Level.WARNING, _PREDICT, text, _ARGUMENTS_HINT)
    return Finding(Level.ERROR, _PREDICT, text, _suggest_fix(failed.traceback), failed.traceback)


def _suggest_fix(trace: str) -> str:
    """Return advice for a failed prediction; the arguments do not cause errors that this package raises."""
    places = _TRACEBACK_FILE.findall(trace)
    if not places or not places[-1].startswith(_PACKAGE_FOLDER):
        return _REJECTION_HINT
    return (
        _RESPONSE_HINT
        if f"\n{InvalidResponse.__module__}.{InvalidResponse.__name__}: " in trace
        else _SIGNATURE_HINT
    )


def _format_arguments(arguments: Mapping[str, Any]) -> str:
    text = ", ".join(f"{name}={value!r}" for name, value in display_arguments(arguments).items())
    return text if len(text) <= _MAX_ARGUMENTS_LENGTH else f"{text[:_MAX_ARGUMENTS_LENGTH]}…"


def _get_size(body: Body) -> int:
    return Path(body.path).stat().st_size if body.path else len(body.content)
