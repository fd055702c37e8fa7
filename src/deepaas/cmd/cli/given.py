"""Owns how the texts of flags become what the arguments are gathered from, as a request's parts do over HTTP.

Must not know what the arguments are for.
"""

import ast
import contextlib
import hashlib
import json
import mimetypes
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from marshmallow import fields
from marshmallow.fields import Field

from deepaas.cmd.cli.flags import Texts
from deepaas.contents import copy_hashed
from deepaas.errors import InvalidArguments
from deepaas.files import Scratch
from deepaas.model.arguments import Arguments, Given, is_file, is_multiple, location_of
from deepaas.model.v2.wrapper import UploadedFile

_OPENINGS = ("[", "{", "(")
_DIGEST_DIGITS = 16


def given(texts: Mapping[str, Texts], scratch: Scratch) -> Given:
    """Return what the flags give; the files that they name are copied into `scratch`.

    Raise `InvalidArguments` for a file that cannot be read.
    """
    query: dict[str, list[str]] = {}
    form: dict[str, list[Any]] = {}
    structures: dict[str, Any] = {}
    headers: dict[str, str] = {}
    for key, (flag, values) in texts.items():
        if is_file(flag.field):
            form[key] = [_uploaded(key, Path(path), scratch) for path in _paths(values)]
        elif location_of(flag.field) == "headers":
            headers[key] = values[0]
        elif _is_structured(flag.field):
            structures[key] = _structure(flag.field, values)
        else:
            query[key] = values
    return Given(query, form, structures, headers)


@contextlib.contextmanager
def commas_told(texts: Mapping[str, Texts]) -> Iterator[None]:
    """Raise `InvalidArguments` with the right form of a list where commas alone stand between its items."""
    try:
        yield
    except InvalidArguments as error:
        raise InvalidArguments(
            {key: _told(problem, key, texts) for key, problem in error.messages.items()}
        ) from error


def uploaded(key: str, copy: Path, original_name: str) -> UploadedFile:
    """Return a copied file as the argument `key`."""
    return UploadedFile(key, str(copy), mimetypes.guess_type(original_name)[0], original_name)


def accepted(arguments: Arguments, raw: dict[str, Any]) -> str | None:
    """Return the media type that was asked for, or the default, which is then put into `raw` too."""
    accept = arguments.accept
    if accept is None:
        return None
    if accept.default is not None:
        raw.setdefault(accept.key, accept.default)
    return raw.get(accept.key)


def digest_of(texts: Mapping[str, Texts]) -> str:
    """Return a digest of the arguments: files count by their names."""
    said = json.dumps({key: texts[key].values for key in sorted(texts)})
    return hashlib.sha256(said.encode()).hexdigest()[:_DIGEST_DIGITS]


def _told(problem: Any, key: str, texts: Mapping[str, Texts]) -> Any:
    if key not in texts or not is_multiple(texts[key].flag.field) or is_file(texts[key].flag.field):
        return problem
    (text, *more) = texts[key].values
    if more or "," not in text or text.lstrip().startswith(_OPENINGS):
        return problem
    items = [item.strip() for item in text.split(",")]
    several = " ".join(f"--{key} {item}" for item in items)
    return [f"it is {text!r}, expected {several}, or --{key} '[{', '.join(items)}]'."]


def _uploaded(key: str, path: Path, scratch: Scratch) -> UploadedFile:
    """Copy a file: the model may move, change or delete what it gets."""
    copy = scratch.new_file(path.name)
    try:
        copy_hashed(path, copy)
    except OSError as error:
        raise InvalidArguments({key: [f"{path}: {error.strerror}."]}) from error
    return uploaded(key, copy, path.name)


def _paths(values: list[str]) -> list[str]:
    """Return the paths that were given one by one, or all in one literal list."""
    found = _literal(values[0]) if len(values) == 1 and not Path(values[0]).exists() else values
    return [str(path) for path in found] if isinstance(found, list) else values


def _is_structured(field: Field) -> bool:
    return is_multiple(field) or isinstance(field, fields.Dict | fields.Nested)


def _structure(field: Field, values: list[str]) -> Any:
    """Return a list of what the flag was given several times, or one literal."""
    if not is_multiple(field):
        return _literal(values[0])
    if len(values) == 1:
        found = _literal(values[0])
        if isinstance(found, list):
            return found
    inner = field.inner if isinstance(field, fields.List) else None
    is_text = inner is not None and not _is_structured(inner)
    return values if is_text else [_literal(value) for value in values]


def _literal(text: str) -> Any:
    """Return what a literal stands for, as JSON or Python writes it; any other text is itself."""
    if not text.lstrip().startswith(_OPENINGS):
        return text
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        found = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
    return list(found) if isinstance(found, tuple | set) else found
