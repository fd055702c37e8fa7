"""Arguments of a call, checked against what the function declares, and how they are sent."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from deepaas.client.specification import Argument, Function
from deepaas.client.uploads import OpenFiles, Upload, create_upload
from deepaas.errors import InvalidArguments, InvalidResponse
from deepaas.model import json_encoding

_MAX_VALIDATED_BYTES = 100_000
_NULL_BESIDE_FILE = "None cannot be sent beside a file: leave the argument out."
_ANY_ARGUMENT = Argument({}, is_required=False)


class EncodedArguments(NamedTuple):
    """Arguments that are ready to be sent, as often as it takes.

    `json_values` is JSON by argument.
    """

    json_values: dict[str, bytes]
    headers: dict[str, bytes]
    files: list[tuple[str, Upload]]

    def build_request_options(self, open_files: OpenFiles) -> dict[str, Any]:
        """Return the options of a request that carries the arguments; `open_files` closes what it opens."""
        if not self.files:
            content = orjson.dumps({name: orjson.Fragment(text) for name, text in self.json_values.items()})
            return {"content": content, "headers": self.headers | {"Content-Type": b"application/json"}}
        parts = [(name, (file.filename, file.open_content(open_files))) for name, file in self.files]
        data = {name: _to_form_text(text) for name, text in self.json_values.items()}
        return {"files": parts, "data": data, "headers": self.headers}


def encode_arguments(function: Function, arguments: Mapping[str, Any], *, validate: bool) -> EncodedArguments:
    """Return the arguments, ready to be sent. Raise `InvalidArguments` when they do not fit the function.

    Without `validate`, what could be wrong and can still be sent is left for the server to find.
    """
    preparing = _Encoder(function, validate=validate)
    for name, value in arguments.items():
        preparing.add(name, value)
    problems = preparing.problems
    if validate:
        problems |= function.find_unknown_names(iter(arguments)) | function.find_missing_names(arguments)
    if problems:
        raise InvalidArguments(problems)
    return preparing.build()


class _Encoder:
    """Arguments on their way to be `Prepared`, and what is wrong with them."""

    def __init__(self, function: Function, *, validate: bool) -> None:
        self._function = function
        self._should_validate = validate
        self._json_values: dict[str, bytes] = {}
        self._headers: dict[str, bytes] = {}
        self._files: list[tuple[str, Upload]] = []
        self.problems: dict[str, Any] = {}

    def add(self, name: str, value: Any) -> None:
        """Add one argument."""
        argument = self._function.arguments.get(name, _ANY_ARGUMENT)
        if argument.is_file:
            self._add_files(name, argument, value)
        else:
            self._add_value(name, argument, value)

    def build(self) -> EncodedArguments:
        """Return all that was added. Raise `InvalidArguments` for nulls, which a form cannot carry."""
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
    """Return what a form carries: a text as it is, anything else as its JSON."""
    return str(json.loads(text)) if text.startswith(b'"') else text.decode()


def _to_single_text(value: Any) -> str:
    """Return a value as one text; a list has commas."""
    if isinstance(value, list):
        return ",".join(map(_to_single_text, value))
    return value if isinstance(value, str) else orjson.dumps(value).decode()
