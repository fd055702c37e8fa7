"""What can only be found by running the author's code: importing it, `warm`, `predict`.

It must not know how findings are told.
"""

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
from deepaas.checking.contract import defines
from deepaas.checking.examples import raw_arguments
from deepaas.checking.finding import Finding, Level, Question, sentence
from deepaas.checking.measured import Measured
from deepaas.errors import InvalidArguments, ModelBroken, UnfitResponse
from deepaas.files import Scratch
from deepaas.messages import Body, Call, Envelope, Failed
from deepaas.model.arguments import Arguments, Given, is_file
from deepaas.model.model import Model
from deepaas.model.v2.wrapper import UploadedFile
from deepaas.trainings.shown import shown
from deepaas.workers.answering import Answering
from deepaas.workers.marker import Marker
from deepaas.workers.sending import Sending

_SLOW_IMPORT_S = 5.0
_LARGE_IMPORT_MIB = 500.0
_IMPORT = "import"
_PREDICT = "predict"
_LONGEST_SHOWN = 200
_GIVE = "Give arguments that make sense: --with NAME=VALUE, for a file its path."
_UNFIT = "Change what predict() returns, so that JSON, its schema and the media type can express it."
_UNCALLED = "It was called with what is declared and given: see what is said of its functions above."
_REFUSE = f"Where it is the arguments' fault, raise aiohttp.web.HTTPBadRequest. {_GIVE}"
_OURS = str(Path(deepaas.__file__).parent)
_CALLED_IN = re.compile(r'^  File "([^"]+)", line', re.MULTILINE)
_CLIENTS_FAULT = range(400, 500)


def imported(question: Question) -> tuple[Model | None, list[Finding]]:
    """Import the model, and return it, if that works, with what was found."""
    threads = threading.active_count()
    try:
        with Measured() as measured:
            model = Model.load(question.name, question.target)
    except ModelBroken as error:
        advice = f"{_how_to_import(error.__cause__, question.target)} Nothing else can be checked."
        return None, [Finding(Level.ERROR, _IMPORT, sentence(str(error)), advice, error.detail)]
    found = [_import_of(measured)]
    if threading.active_count() > threads:
        advice = (
            "The server has them too, and each of its processes; start them in warm() if that is too often."
        )
        found.append(Finding(Level.NOTE, _IMPORT, "Importing it starts threads.", advice))
    return model, found


def _how_to_import(error: BaseException | None, target: str) -> str:
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


def _import_of(measured: Measured) -> Finding:
    is_heavy = measured.seconds > _SLOW_IMPORT_S or measured.mebibytes > _LARGE_IMPORT_MIB
    advice = (
        "The server imports the model too, only to read what it declares: import what is heavy in the "
        "functions that use it."
    )
    level = Level.WARNING if is_heavy else Level.OK
    return Finding(level, _IMPORT, f"It took {measured}.", advice if is_heavy else "")


def warmed(model: Model) -> Iterator[Finding]:
    """Warm the model, as every worker does."""
    step = "warm"
    if not defines(model, "warm"):
        yield Finding(
            Level.NOTE,
            step,
            "There is no warm(): the first prediction in each worker loads what it needs.",
            "Load it in warm(), and the first caller does not wait.",
        )
        return
    with Measured() as measured:
        model.warm()
    yield Finding(Level.OK, step, f"It took {measured}, in every worker.")


def can_be_called(model: Model) -> bool:
    """Say whether what a prediction needs of the model's declarations can be made."""
    try:
        _ = model.predict_arguments, model.schema
    except Exception:  # noqa: BLE001 - the author's code may raise anything
        return False
    return True


def predicted(model: Model, question: Question) -> Iterator[Finding]:
    """Predict once for each media type, with arguments that were given or are made up."""
    if not defines(model, "predict"):
        return
    arguments = model.predict_arguments
    for name in dict(question.given):
        if not arguments.declares(name):
            yield Finding(Level.WARNING, _PREDICT, f"There is no argument '{name}': it is left out.")
    for number, media_type in enumerate(_media_types(arguments)):
        scratch = Scratch(f"{question.scratch}/{number}")
        try:
            raw = _raw(arguments, question, scratch, media_type)
        except OSError as error:
            yield Finding(
                Level.ERROR, _PREDICT, sentence(f"What --with names cannot be read: {error}"), _GIVE
            )
            return
        yield _prediction(model, raw, media_type, scratch)


def _media_types(arguments: Arguments) -> tuple[str | None, ...]:
    accept = arguments.accept
    return (accept.choices or (accept.default,)) if accept else (None,)


def _raw(
    arguments: Arguments, question: Question, scratch: Scratch, media_type: str | None
) -> dict[str, Any]:
    raw = raw_arguments(arguments, scratch) | arguments.gather(_given(arguments, question, scratch))
    accept = arguments.accept
    return raw | ({accept.key: media_type} if accept and media_type else {})


def _given(arguments: Arguments, question: Question, scratch: Scratch) -> Given:
    """Return what was given, as a form gives it; files are copied, since the model may delete them."""
    form: dict[str, list[Any]] = {}
    fields = {field.data_key or name: field for name, field in arguments.fields.items()}
    for key, text in question.given:
        is_upload = key in fields and is_file(fields[key])
        form.setdefault(key, []).append(_copied(key, Path(text), scratch) if is_upload else text)
    headers = {key: values[0] for key, values in form.items() if isinstance(values[0], str)}
    return Given(form=form, headers=headers)


def _copied(key: str, path: Path, scratch: Scratch) -> UploadedFile:
    copy = scratch.new_file(path.name)
    shutil.copyfile(path, copy)
    return UploadedFile(key, str(copy), mimetypes.guess_type(path.name)[0], path.name)


def _prediction(model: Model, raw: dict[str, Any], media_type: str | None, scratch: Scratch) -> Finding:
    wanted = f"As {media_type}: " if media_type else ""
    try:
        validated = model.predict_arguments.validate(raw)
    except InvalidArguments as error:
        return Finding(Level.WARNING, _PREDICT, sentence(f"{wanted}{error}"), _GIVE)
    call = Call("predict", validated, True, media_type, scratch.path, "-")  # noqa: FBT003
    with Measured() as measured:
        outcome, streamed = _answer(model, call)
    if isinstance(outcome, Failed):
        return _failure(wanted, outcome, validated)
    size = streamed + _size(outcome)
    return Finding(Level.OK, _PREDICT, f"{wanted}{size} bytes of {outcome.media_type} in {measured}.")


def _answer(model: Model, call: Call) -> tuple[Body | Failed, int]:
    """Run a call as a worker does; return what came of it, and how many bytes were streamed on the way."""
    chunks: list[Any] = []
    marker, shared = Marker.create()
    os.close(shared)
    with contextlib.closing(marker):
        sending = Sending(lambda chunk, _: chunks.append(chunk), marker, model.schema)
        reply = Answering(model, sending, Envelope.STRING).answer(call, 1)
    return reply.outcome, sum(len(chunk.content) for chunk in chunks)


def _failure(wanted: str, failed: Failed, arguments: Mapping[str, Any]) -> Finding:
    """Tell arguments that the model refuses from a fault of the model's."""
    text = f"{wanted}it failed with {failed.status}: {failed.message}  [{_shown(arguments)}]"
    if failed.status in _CLIENTS_FAULT:
        return Finding(Level.WARNING, _PREDICT, text, _GIVE)
    return Finding(Level.ERROR, _PREDICT, text, _advice(failed.traceback), failed.traceback)


def _advice(trace: str) -> str:
    """Return what to do about an error; what code of ours raised is not the arguments' fault."""
    places = _CALLED_IN.findall(trace)
    if not places or not places[-1].startswith(_OURS):
        return _REFUSE
    return _UNFIT if f"\n{UnfitResponse.__module__}.{UnfitResponse.__name__}: " in trace else _UNCALLED


def _shown(arguments: Mapping[str, Any]) -> str:
    said = ", ".join(f"{name}={value!r}" for name, value in shown(arguments).items())
    return said if len(said) <= _LONGEST_SHOWN else f"{said[:_LONGEST_SHOWN]}…"


def _size(body: Body) -> int:
    return Path(body.path).stat().st_size if body.path else len(body.content)
