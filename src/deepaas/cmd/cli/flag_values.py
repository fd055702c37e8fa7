"""Converts the values of flags to argument sources, the form in which requests pass arguments."""

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

from deepaas.atomic_files import copy_with_sha256
from deepaas.cmd.cli.flags import FlagValues
from deepaas.errors import InvalidArguments
from deepaas.model.arguments import Arguments, ArgumentSources
from deepaas.model.fields import accepts_many, get_field_location, is_file
from deepaas.model.v2.wrapper import UploadedFile
from deepaas.scratch import UploadFolder

_OPENING_BRACKETS = ("[", "{", "(")
_DIGEST_LENGTH = 16


def to_argument_sources(
    flag_values: Mapping[str, FlagValues], upload_folder: UploadFolder
) -> ArgumentSources:
    """Return the values of the flags as argument sources, with files copied into `upload_folder`.

    Raise `InvalidArguments` if a file cannot be read.
    """
    query: dict[str, list[str]] = {}
    form: dict[str, list[Any]] = {}
    structures: dict[str, Any] = {}
    headers: dict[str, str] = {}
    for key, (flag, values) in flag_values.items():
        if is_file(flag.field):
            form[key] = [_copy_upload(key, Path(path), upload_folder) for path in _parse_paths(values)]
        elif get_field_location(flag.field) == "headers":
            headers[key] = values[0]
        elif _is_structured(flag.field):
            structures[key] = _parse_structure(flag.field, values)
        else:
            query[key] = values
    return ArgumentSources(query, form, structures, headers)


@contextlib.contextmanager
def explain_comma_lists(flag_values: Mapping[str, FlagValues]) -> Iterator[None]:
    """Replace the errors of comma-separated lists in `InvalidArguments` by the right syntax."""
    try:
        yield
    except InvalidArguments as error:
        raise InvalidArguments(
            {key: _explain_comma_list(problem, key, flag_values) for key, problem in error.messages.items()}
        ) from error


def create_uploaded_file(key: str, copy: Path, original_name: str) -> UploadedFile:
    """Return the value of the argument `key` for a copied file."""
    return UploadedFile(key, str(copy), mimetypes.guess_type(original_name)[0], original_name)


def resolve_media_type(arguments: Arguments, raw: dict[str, Any]) -> str | None:
    """Return the requested media type, or else the default, which is also set in `raw`."""
    accept = arguments.accept
    if accept is None:
        return None
    if accept.default is not None:
        raw.setdefault(accept.key, accept.default)
    return raw.get(accept.key)


def hash_arguments(flag_values: Mapping[str, FlagValues]) -> str:
    """Return a digest of the arguments; for files, of their paths only."""
    values = json.dumps({key: flag_values[key].values for key in sorted(flag_values)})
    return hashlib.sha256(values.encode()).hexdigest()[:_DIGEST_LENGTH]


def _explain_comma_list(problem: Any, key: str, flag_values: Mapping[str, FlagValues]) -> Any:
    if (
        key not in flag_values
        or not accepts_many(flag_values[key].flag.field)
        or is_file(flag_values[key].flag.field)
    ):
        return problem
    (text, *more) = flag_values[key].values
    if more or "," not in text or text.lstrip().startswith(_OPENING_BRACKETS):
        return problem
    items = [item.strip() for item in text.split(",")]
    several = " ".join(f"--{key} {item}" for item in items)
    return [f"it is {text!r}, expected {several}, or --{key} '[{', '.join(items)}]'."]


def _copy_upload(key: str, path: Path, upload_folder: UploadFolder) -> UploadedFile:
    """Copy a file: the model may move, change or delete its input."""
    copy = upload_folder.create_file_path(path.name)
    try:
        copy_with_sha256(path, copy)
    except OSError as error:
        raise InvalidArguments({key: [f"{path}: {error.strerror}."]}) from error
    return create_uploaded_file(key, copy, path.name)


def _parse_paths(values: list[str]) -> list[str]:
    """Return the paths of repeated flags, or of one flag with a literal list."""
    paths = _parse_literal(values[0]) if len(values) == 1 and not Path(values[0]).exists() else values
    return [str(path) for path in paths] if isinstance(paths, list) else values


def _is_structured(field: Field) -> bool:
    return accepts_many(field) or isinstance(field, fields.Dict | fields.Nested)


def _parse_structure(field: Field, values: list[str]) -> Any:
    """Return the list of a repeated flag, or the literal value of a single one."""
    if not accepts_many(field):
        return _parse_literal(values[0])
    if len(values) == 1:
        literal = _parse_literal(values[0])
        if isinstance(literal, list):
            return literal
    inner = field.inner if isinstance(field, fields.List) else None
    is_text = inner is not None and not _is_structured(inner)
    return values if is_text else [_parse_literal(value) for value in values]


def _parse_literal(text: str) -> Any:
    """Parse a JSON or Python literal of a list or dictionary; return any other text unchanged."""
    if not text.lstrip().startswith(_OPENING_BRACKETS):
        return text
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
    return list(value) if isinstance(value, tuple | set) else value
