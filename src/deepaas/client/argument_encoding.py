"""Validates the arguments of a call against the server's OpenAPI document, and encodes them."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from deepaas.client.specification import Argument, Function
from deepaas.client.uploads import OpenFiles, Upload, create_upload
from deepaas.errors import InvalidArguments, InvalidResponse
from deepaas.model import json_encoding

_MAX_VALIDATED_BYTES = 100_000
_NULL_BESIDE_FILE = "None cannot be sent together with a file: omit the argument."
_ANY_ARGUMENT = Argument({}, is_required=False)


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
    """Encode the arguments. Raise `InvalidArguments` if they do not match the function's declaration.

    Without `validate`, only arguments that cannot be encoded are errors.
    """
    encoder = _Encoder(function, validate=validate)
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

    def __init__(self, function: Function, *, validate: bool) -> None:
        self._function = function
        self._should_validate = validate
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
        is_small = len(text) <= _MAX_VALIDATED_BYTES
        plain = json.loads(text) if is_small or argument.is_header or argument.is_comma_separated else None
        unfit = self._function.validate(name, plain) if self._should_validate and is_small else []
        if unfit:
            self.problems[name] = unfit
        elif argument.is_header:
            self._headers[name] = _to_single_text(plain).encode()
        elif argument.is_comma_separated:
            self._json_values[name] = orjson.dumps(_to_single_text(plain))
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
