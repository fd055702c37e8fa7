"""Encodes the arguments of a call, with its files, as the body and the headers of a request."""

import contextlib
import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

from deepaas.client._schema import Argument, Function
from deepaas.errors import InvalidArguments, InvalidResponse
from deepaas.model import json_encoding

_EXPECTED_VALUES = (
    "Give a path, bytes, a file opened in binary mode, a NumPy array, a PIL image, "
    "or (file name, content); got {}."
)
_NULL_IN_HEADER = "None cannot be sent in a header: omit the argument."
_NULL_BESIDE_FILE = "None cannot be sent together with a file: omit the argument."
_ANY_ARGUMENT = Argument({}, is_required=False)

OpenFiles = contextlib.ExitStack


class Upload(NamedTuple):
    """A file to send: its name, and a function that returns its content for one attempt.

    Files that the function opens are closed after the attempt.
    """

    filename: str
    open_content: Callable[[OpenFiles], IO[bytes] | bytes]


class EncodedArguments(NamedTuple):
    """Encoded arguments, which can be sent several times. `json_values` has the JSON of each argument."""

    json_values: dict[str, bytes]
    headers: dict[str, bytes]
    files: list[tuple[str, Upload]]

    def build_request_options(self, open_files: OpenFiles) -> dict[str, Any]:
        """Return the options of an `httpx.Request` with the arguments; `open_files` closes opened files."""
        if not self.files:
            content = orjson.dumps({name: orjson.Fragment(text) for name, text in self.json_values.items()})
            return {"content": content, "headers": self.headers | {"Content-Type": b"application/json"}}
        parts = [(name, (file.filename, file.open_content(open_files))) for name, file in self.files]
        data = {name: _to_form_text(text) for name, text in self.json_values.items()}
        return {"files": parts, "data": data, "headers": self.headers}


def encode_arguments(function: Function, arguments: Mapping[str, Any], *, validate: bool) -> EncodedArguments:
    """Encode the arguments. Raise `InvalidArguments` for values that cannot be sent.

    With `validate`, also for unknown and missing names. The server validates values.
    """
    encoder = _Encoder(function)
    for name, value in arguments.items():
        encoder.add(name, value)
    problems = encoder.problems
    if validate:
        problems |= function.find_unknown_names(iter(arguments)) | function.find_missing_names(arguments)
    if problems:
        raise InvalidArguments(problems)
    return encoder.build()


class _Encoder:
    """Collects `EncodedArguments`, and the problems by argument."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._json_values: dict[str, bytes] = {}
        self._headers: dict[str, bytes] = {}
        self._files: list[tuple[str, Upload]] = []
        self.problems: dict[str, Any] = {}

    def add(self, name: str, value: Any) -> None:
        """Add one argument, or its problem."""
        argument = self._function.arguments.get(name, _ANY_ARGUMENT)
        if argument.is_file:
            self._add_files(name, argument, value)
        else:
            self._add_value(name, argument, value)

    def build(self) -> EncodedArguments:
        """Return the encoded arguments. Raise `InvalidArguments` for nulls in a form, which has none."""
        nulls = [name for name, text in self._json_values.items() if text == b"null"] if self._files else []
        if nulls:
            raise InvalidArguments({name: [_NULL_BESIDE_FILE] for name in nulls})
        return EncodedArguments(self._json_values, self._headers, self._files)

    def _add_files(self, name: str, argument: Argument, value: Any) -> None:
        is_several = argument.is_list and isinstance(value, list)
        try:
            uploads = [
                create_upload(name, one) for one in (value if is_several else [value]) if one is not None
            ]
        except TypeError as error:
            self.problems[name] = [str(error)]
        else:
            self._files += [(name, one) for one in uploads]

    def _add_value(self, name: str, argument: Argument, value: Any) -> None:
        try:
            text = json_encoding.dumps(value, f"'{name}'")
        except InvalidResponse as error:
            self.problems[name] = [error.message]
            return
        is_null = text == b"null"
        if argument.is_header and is_null:
            self.problems[name] = [_NULL_IN_HEADER]
        elif argument.is_header:
            self._headers[name] = _to_single_text(json.loads(text)).encode()
        elif argument.is_comma_separated and not is_null:
            self._json_values[name] = orjson.dumps(_to_single_text(json.loads(text)))
        else:
            self._json_values[name] = text


def _to_form_text(text: bytes) -> str:
    """Return an argument's text in a form: a string as it is, any other value as JSON."""
    return str(json.loads(text)) if text.startswith(b'"') else text.decode()


def _to_single_text(value: Any) -> str:
    """Return a value as one text, with commas between the items of a list."""
    if isinstance(value, list):
        return ",".join(map(_to_single_text, value))
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def create_upload(argument: str, value: Any) -> Upload:
    """Return the upload for a value of a file argument. Raise `TypeError` for any other type.

    A path is read from disk while it is sent. A file object is sent from its beginning. A NumPy array is
    sent as ``.npy``, a PIL image as PNG.
    """
    match value:
        case (str() as filename, content):
            return create_upload(argument, content)._replace(filename=filename)
        case str() | os.PathLike():
            return _create_path_upload(Path(value))
        case bytes() | bytearray() | memoryview():
            return _create_bytes_upload(argument, bytes(value))
        case io.TextIOBase():
            raise TypeError(_EXPECTED_VALUES.format("a file opened in text mode"))
    if hasattr(value, "read"):
        return Upload(_get_file_name(value) or argument, lambda _: value)
    if _is_array(value):
        return _create_bytes_upload(f"{argument}.npy", _encode_npy(value))
    if type(value).__module__.startswith("PIL.") and hasattr(value, "save"):
        return _create_bytes_upload(f"{argument}.png", _encode_png(value))
    raise TypeError(_EXPECTED_VALUES.format(type(value).__name__))


def _create_path_upload(path: Path) -> Upload:
    return Upload(path.name, lambda opened: opened.enter_context(path.open("rb")))


def _create_bytes_upload(filename: str, content: bytes) -> Upload:
    return Upload(filename, lambda _: content)


def _get_file_name(file: Any) -> str | None:
    """Return the name of an open file, if it has one: a file opened by descriptor has a number instead."""
    name = getattr(file, "name", None)
    return Path(name).name if isinstance(name, str) else None


def _is_array(value: Any) -> bool:
    return type(value).__module__ == "numpy" and hasattr(value, "__array_interface__")


def _encode_npy(array: Any) -> bytes:
    import numpy as np  # noqa: PLC0415 - optional: only callers with an array need it

    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _encode_png(image: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()
