"""What of a model can be checked without calling `predict`, `train` or `warm`.

It must not know how findings are told.
"""

import inspect
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import marshmallow
from marshmallow.fields import Field

from deepaas.checking.finding import Finding, Level, sentence
from deepaas.checking.measured import Measured
from deepaas.errors import ModelBroken
from deepaas.model.failure import describe
from deepaas.model.jsonable import plain
from deepaas.model.model import Model
from deepaas.model.v2.base import BaseModel

_KNOWN = ("name", "author", "license", "description", "version")
_SLOW_METADATA_S = 1.0
FUNCTIONS = {"predict": "get_predict_args", "train": "get_train_args"}


def defines(model: Model, function: str) -> bool:
    """Say whether the author wrote the function; what `BaseModel` has in its place does not count."""
    if not model.has(function):
        return False
    found = getattr(model.function(function), "__func__", None)
    return found is None or found is not vars(BaseModel).get(function)


def functions(model: Model, target: str) -> Iterator[Finding]:
    """Look at which functions there are, and whether they take the arguments that are declared."""
    step = "functions"
    there = [name for name in FUNCTIONS if defines(model, name)]
    if not there:
        yield Finding(
            Level.ERROR,
            step,
            "The model has neither predict() nor train(): there is nothing to call.",
            _where_to_look(target),
        )
    else:
        yield Finding(Level.OK, step, f"It has {', '.join(f'{name}()' for name in there)}.")
    for name, declaring in FUNCTIONS.items():
        if defines(model, declaring) and not defines(model, name):
            yield Finding(
                Level.WARNING,
                step,
                f"{declaring}() declares arguments, and there is no {name}().",
                f"Define {name}(), or leave {declaring}() out.",
            )
    for name in there:
        yield from _signature(model, name)


def metadata(model: Model) -> Iterator[Finding]:
    """Look at what the author says of the model."""
    step = "metadata"
    if not defines(model, "get_metadata"):
        yield Finding(
            Level.WARNING,
            step,
            "There is no get_metadata(): clients and catalogues learn nothing of the model.",
            "Return a dictionary with name, author, license, description and version.",
        )
        return
    with Measured() as measured:
        said, problem = _metadata(model)
    if problem:
        yield problem
        return
    yield from _inexpressible(said)
    missing = [key for key in _KNOWN if not said.get(key)]
    if missing:
        yield Finding(Level.NOTE, step, f"It does not say: {', '.join(missing)}.", "Catalogues show these.")
    if measured.seconds > _SLOW_METADATA_S:
        yield Finding(
            Level.WARNING,
            step,
            f"get_metadata() took {measured}, and is called on every request for it.",
            "Look up what takes long once, and keep it in a global variable.",
        )
    yield Finding(Level.OK, step, f"{len(said)} entries.")


def schema(model: Model) -> Iterator[Finding]:
    """Look at the schema of predictions."""
    step = "schema"
    if not defines(model, "predict"):
        return
    try:
        declared = model.schema
    except ModelBroken as error:
        yield Finding(Level.ERROR, step, sentence(str(error)), "See the message.")
        return
    except Exception as error:  # noqa: BLE001 - the author's fields may raise anything
        yield Finding(
            Level.ERROR,
            step,
            sentence(f"The schema cannot be made: {describe(error)}"),
            "Make each of its fields an instance of a marshmallow field, such as fields.Str().",
        )
        return
    if declared is None:
        yield Finding(
            Level.NOTE,
            step,
            "There is no schema: predictions are sent as a text, and clients cannot know what is in it.",
            "Set schema to a dictionary of marshmallow fields: predictions are then documented and checked.",
        )
    else:
        yield Finding(Level.OK, step, f"{len(declared.fields)} fields: {', '.join(declared.fields)}.")


def _where_to_look(target: str) -> str:
    """Return what to do about functions that are not where they are looked for."""
    path, _, attribute = target.partition(":")
    is_file = path.endswith(".py")
    here = Path(path).stem if is_file else path
    module = sys.modules.get(here)
    for name, found in [] if module is None or attribute else vars(module).items():
        has = [function for function in FUNCTIONS if callable(getattr(found, function, None))]
        if inspect.isclass(found) and f"{found.__module__}.".startswith(f"{here}.") and has:
            named = f"use --model {_as_typed(path)}:{name}" if is_file else f"name {path}:{name} instead"
            return f"{_as_typed(path)} has a class {name} with {has[0]}(): {named}."
    if is_file:
        return f"Define one of them in {_as_typed(path)}."
    return "Define one of them in what the entry point names; if it names a package, import it there."


def _as_typed(path: str) -> str:
    """Return a file's path as one would type it here."""
    relative = os.path.relpath(path) if path.endswith(".py") else path
    return f"./{relative}" if path.endswith(".py") and not relative.startswith("..") else path


def _inexpressible(said: dict[str, object]) -> Iterator[Finding]:
    """Find what has no JSON form; the server sends its `repr`."""
    reasons: list[str] = []
    plain(said, lambda _, reason: reasons.append(reason), what="the metadata")
    for reason in reasons:
        yield Finding(
            Level.WARNING,
            "metadata",
            sentence(reason),
            "Return numbers, texts, lists and dictionaries of them.",
        )


def _metadata(model: Model) -> tuple[dict[str, object], Finding | None]:
    try:
        said = model.function("get_metadata")()
    except Exception as error:  # noqa: BLE001 - the author's code may raise anything
        return {}, Finding(
            Level.ERROR,
            "metadata",
            sentence(f"get_metadata() failed with {describe(error)}"),
            "It runs in the server, in any working directory: read what is installed by importlib.metadata.",
        )
    if not isinstance(said, dict):
        kind = type(said).__name__
        return {}, Finding(
            Level.ERROR, "metadata", f"get_metadata() returned {kind}.", "Return a dictionary."
        )
    return said, None


def _signature(model: Model, name: str) -> Iterator[Finding]:
    """Compare what the function takes with what is declared; both are called by keyword only."""
    try:
        parameters = inspect.signature(model.function(name)).parameters
        declared = model.arguments(name).fields
    except (ModelBroken, ValueError, TypeError):
        return  # the step of the arguments says why; a function made of C has no signature
    takes_all = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    by_keyword = {key: one for key, one in parameters.items() if _is_by_keyword(one)}
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
            yield from _needed(name, key, declared.get(key))


def _needed(name: str, key: str, field: Field | None) -> Iterator[Finding]:
    """Look at a parameter without a default: somebody must give it on every call."""
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
            f"{name}() needs '{key}', and a call that does not give it has none.",
            f"Declare it with required=True or load_default=…, or give the parameter a default: {key}=None.",
        )


def _has_no_default(field: Field) -> bool:
    return field.load_default is marshmallow.missing


def _is_by_keyword(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
