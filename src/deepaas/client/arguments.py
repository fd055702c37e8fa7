"""Arguments of a call, checked against what the function declares, and how they are sent.

It must not know where they are sent.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from deepaas.client.specification import Argument, Function
from deepaas.client.uploads import Opened, Upload, upload
from deepaas.errors import InvalidArguments, UnfitResponse
from deepaas.model import jsonable

_CHECKED_BYTES = 100_000
_NO_NULL = "None cannot be sent beside a file: leave the argument out."
_ANYTHING = Argument({}, is_required=False)


class Prepared(NamedTuple):
    """Arguments that are ready to be sent, as often as it takes.

    `texts` is JSON by argument.
    """

    texts: dict[str, bytes]
    headers: dict[str, bytes]
    files: list[tuple[str, Upload]]

    def request(self, opened: Opened) -> dict[str, Any]:
        """Return the options of a request that carries the arguments; `opened` closes what it opens."""
        if not self.files:
            content = orjson.dumps({name: orjson.Fragment(text) for name, text in self.texts.items()})
            return {"content": content, "headers": self.headers | {"Content-Type": b"application/json"}}
        parts = [(name, (file.filename, file.open(opened))) for name, file in self.files]
        data = {name: _form_text(text) for name, text in self.texts.items()}
        return {"files": parts, "data": data, "headers": self.headers}


def prepare(function: Function, given: Mapping[str, Any], *, check: bool) -> Prepared:
    """Return the arguments, ready to be sent. Raise `InvalidArguments` when they do not fit the function.

    Without `check`, what could be wrong and can still be sent is left for the server to find.
    """
    preparing = _Preparing(function, check=check)
    for name, value in given.items():
        preparing.add(name, value)
    problems = preparing.problems
    if check:
        problems |= function.unknown(iter(given)) | function.missing(given)
    if problems:
        raise InvalidArguments(problems)
    return preparing.prepared()


class _Preparing:
    """Arguments on their way to be `Prepared`, and what is wrong with them."""

    def __init__(self, function: Function, *, check: bool) -> None:
        self._function = function
        self._check = check
        self._texts: dict[str, bytes] = {}
        self._headers: dict[str, bytes] = {}
        self._files: list[tuple[str, Upload]] = []
        self.problems: dict[str, Any] = {}

    def add(self, name: str, value: Any) -> None:
        """Add one argument."""
        argument = self._function.arguments.get(name, _ANYTHING)
        if argument.is_file:
            self._add_files(name, argument, value)
        else:
            self._add_value(name, argument, value)

    def prepared(self) -> Prepared:
        """Return all that was added. Raise `InvalidArguments` for nulls, which a form cannot carry."""
        nulls = [name for name, text in self._texts.items() if text == b"null"] if self._files else []
        if nulls:
            raise InvalidArguments({name: [_NO_NULL] for name in nulls})
        return Prepared(self._texts, self._headers, self._files)

    def _add_files(self, name: str, argument: Argument, value: Any) -> None:
        is_several = argument.is_list and isinstance(value, list)
        try:
            uploads = [upload(name, one) for one in (value if is_several else [value]) if one is not None]
        except TypeError as error:
            self.problems[name] = [str(error)]
        else:
            self._files += [(name, one) for one in uploads]

    def _add_value(self, name: str, argument: Argument, value: Any) -> None:
        try:
            text = jsonable.dumps(value, f"'{name}'")
        except UnfitResponse as error:
            self.problems[name] = [error.message]
            return
        is_small = len(text) <= _CHECKED_BYTES
        plain = json.loads(text) if is_small or argument.is_header or argument.is_joined else None
        unfit = self._function.unfit(name, plain) if self._check and is_small else []
        if unfit:
            self.problems[name] = unfit
        elif argument.is_header:
            self._headers[name] = _line(plain).encode()
        elif argument.is_joined:
            self._texts[name] = orjson.dumps(_line(plain))
        else:
            self._texts[name] = text


def _form_text(text: bytes) -> str:
    """Return what a form carries: a text as it is, anything else as its JSON."""
    return str(json.loads(text)) if text.startswith(b'"') else text.decode()


def _line(plain: Any) -> str:
    """Return a value as one text; a list has commas."""
    if isinstance(plain, list):
        return ",".join(map(_line, plain))
    return plain if isinstance(plain, str) else orjson.dumps(plain).decode()
