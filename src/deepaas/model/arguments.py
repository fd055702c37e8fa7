"""Arguments of a model's function: collected from a request, then validated and converted by their fields."""

import functools
import itertools
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import marshmallow
from marshmallow import fields
from marshmallow.fields import Field

from deepaas.errors import InvalidArguments, InvalidJson, PredictionFailed
from deepaas.model.bounded_list import LIBRARY_PREFIXES, MAX_ERRORS, limit_list_errors
from deepaas.model.failures import failure_from_exception
from deepaas.model.fields import (
    accepts_many,
    get_documented_choices,
    get_field_choices,
    get_field_location,
    has_password,
    is_file,
    is_single_text,
    mask_passwords,
    to_file_field,
)
from deepaas.model.json_encoding import loads, loads_in_steps
from deepaas.model.v2.wrapper import UploadedFile

_TRUNCATION_KEY = "all"
_NOT_A_FILE = "Not a file. Send it as a part of a multipart/form-data body, with a file name."


class ArgumentSources(NamedTuple):
    """The parts of a request that can hold arguments, in order of precedence.

    `query` and `form` map each name to all its values; a file in `form` is an `UploadedFile`. Only header
    arguments are taken from `headers`. `raw_json` is a JSON body that a worker will decode; `json` is then
    empty. `size_bytes` is the size of the body's texts and JSON.
    """

    query: Mapping[str, Sequence[Any]] = {}
    form: Mapping[str, Sequence[Any]] = {}
    json: Mapping[str, Any] = {}
    headers: Mapping[str, str] = {}
    raw_json: bytes = b""
    size_bytes: int = 0


class AcceptArgument(NamedTuple):
    """The argument `accept`: the media types that a function can return, and the default.

    `key` is the argument's name in a request.
    """

    key: str
    choices: tuple[str, ...]
    default: str | None


class Arguments:
    """The declared arguments of one function."""

    def __init__(self, declared_fields: Mapping[str, Field], *, accept: AcceptArgument | None = None) -> None:
        self.fields = dict(declared_fields)
        self._fields_by_key = {field.data_key or name: field for name, field in self.fields.items()}
        self.accept = accept or self._find_accept_argument()
        """The argument `accept`, if the model author declared it."""
        self._header_keys = [
            key
            for key, field in self._fields_by_key.items()
            if get_field_location(field) == "headers" and not self.is_negotiated(key)
        ]
        self._file_keys = [key for key, field in self._fields_by_key.items() if is_file(field)]
        self._single_text_keys = {key for key, field in self._fields_by_key.items() if is_single_text(field)}
        self._bound_fields = list(_bind_fields(self.fields))

    def _find_accept_argument(self) -> AcceptArgument | None:
        field = self.fields.get("accept")
        if field is None:
            return None
        documented = get_field_choices(field) or map(str, get_documented_choices(field))
        choices = tuple(choice for choice in documented if "/" in choice)
        default = field.load_default
        if not isinstance(default, str):
            default = choices[0] if choices else None
        return AcceptArgument(field.data_key or "accept", choices, default)

    def resolve_accept(self, raw: dict[str, Any], media_type: str | None) -> str | None:
        """Return the media type that `raw` requests; if it requests none, set it to `media_type`."""
        if self.accept is None:
            return media_type
        requested = raw.get(self.accept.key)
        if requested is None:
            if media_type is not None:
                raw[self.accept.key] = media_type
            return media_type
        return requested if isinstance(requested, str) and "," not in requested else None

    def is_negotiated(self, key: str) -> bool:
        """Return whether the argument is `accept` with choices, so that the Accept header is negotiated."""
        return self.accept is not None and bool(self.accept.choices) and key == self.accept.key

    def is_header(self, key: str) -> bool:
        """Return whether a request sends the argument in a header."""
        return key in self._header_keys

    def has_argument(self, key: str) -> bool:
        """Return whether `key` is the name of an argument in requests."""
        return key in self._fields_by_key

    def collect(self, sources: ArgumentSources) -> dict[str, Any]:
        """Return the raw values of the arguments that the request sends, by their names in the request."""
        raw: dict[str, Any] = {key: sources.json[key] for key in sources.json if key in self._fields_by_key}
        for source in (sources.form, sources.query):
            for key in source:
                field = self._fields_by_key.get(key)
                if field is not None:
                    values = source[key]
                    raw[key] = values[0] if key in self._single_text_keys else _parse_texts(field, values)
        for key in self._header_keys:
            raw.pop(key, None)
            if key in sources.headers:
                raw[key] = _parse_texts(self._fields_by_key[key], [sources.headers[key]])
        return raw

    def validate(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return the function's keyword arguments. Raise `InvalidArguments` with the errors by argument."""
        problems: dict[str, Any] = {}
        arguments: dict[str, Any] = {}
        # Equivalent to marshmallow's Schema.load for a flat schema without hooks, but three times as fast.
        for name, key, field in self._bound_fields:
            try:
                value = field.deserialize(raw.get(key, marshmallow.missing), key, raw)
            except marshmallow.ValidationError as error:
                problems[key] = error.messages
            except ValueError as error:
                if not _is_raised_by_marshmallow(error):
                    raise
                problems[key] = [str(error)]
            else:
                if value is not marshmallow.missing:
                    arguments[name] = value
        for key in self._file_keys:
            if key in raw and not _has_only_files(raw[key]):
                problems[key] = [_NOT_A_FILE]
        if problems:
            raise InvalidArguments(_truncate_errors(problems))
        return arguments

    def has_password(self, arguments: Mapping[str, Any]) -> bool:
        """Return whether validated arguments have a value for a field with `format: password`."""
        return any(arguments.get(name) is not None for name in self._password_fields)

    def mask_passwords(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return validated arguments with each password masked, to store in a record."""
        found = self._password_fields.keys() & arguments.keys()
        return {
            **arguments,
            **{name: mask_passwords(self._password_fields[name], arguments[name]) for name in found},
        }

    @functools.cached_property
    def _password_fields(self) -> dict[str, Field]:
        return {name: field for name, _, field in self._bound_fields if has_password(field)}

    def validate_in_thread(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Like `validate`, for use in threads: any other exception becomes `PredictionFailed`.

        A future cannot carry `StopIteration`, and `SystemExit` would end more than the request.
        """
        try:
            return self.validate(raw)
        except InvalidArguments:
            raise
        except BaseException as error:  # noqa: BLE001 - user code may raise anything
            found = failure_from_exception(error)
            raise PredictionFailed(found.message, status=found.status, detail=found.traceback) from None


def _truncate_errors(errors: Any) -> Any:
    """Keep the first `MAX_ERRORS` errors of each list and dictionary, and mark truncated dictionaries."""
    if isinstance(errors, dict):
        first = {key: _truncate_errors(errors[key]) for key in itertools.islice(errors, MAX_ERRORS)}
        has_more = len(errors) > MAX_ERRORS
        return first | {_TRUNCATION_KEY: [f"More than {MAX_ERRORS} errors."]} if has_more else first
    return errors[:MAX_ERRORS] if isinstance(errors, list) else errors


def read_json(body: bytes, loads: Callable[[bytes], Any] = loads) -> dict[str, Any]:
    """Decode a JSON body; an empty body is {}. Raise `InvalidJson`; `InvalidArguments` for a non-object."""
    if not body.strip():
        return {}
    try:
        content = loads(body)
    except ValueError as error:
        raise InvalidJson("Invalid JSON body.") from error
    if not isinstance(content, dict):
        raise InvalidArguments({"_schema": ["Invalid input type."]})
    return content


def _bind_fields(declared_fields: Mapping[str, Field]) -> Iterator[tuple[str, str, Field]]:
    """Yield each argument's name, its key in a request, and its field, bound to a schema."""
    prepared = {
        name: to_file_field(field) if is_file(field) else field for name, field in declared_fields.items()
    }
    schema = marshmallow.Schema.from_dict(prepared)()
    for name, field in schema.load_fields.items():
        limit_list_errors(field)
        yield field.attribute or name, field.data_key or name, field


def _has_only_files(value: Any) -> bool:
    items: Iterable[Any] = value if isinstance(value, list) else [value]
    return all(item is None or isinstance(item, UploadedFile) for item in items)


def _is_raised_by_marshmallow(error: ValueError) -> bool:
    """Return whether marshmallow leaked an error about an invalid value, such as a time delta of NaN."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals["__name__"]).startswith(LIBRARY_PREFIXES)


def _parse_texts(field: Field, values: Sequence[Any]) -> Any:
    """Return the raw value of texts from a query or form: a list for list fields, else the first value."""
    if accepts_many(field):
        inner = field.inner if isinstance(field, fields.List) else None
        if len(values) == 1 and _starts_with_any(values[0], "["):
            items = _parse_json_or_text(values[0])
            return items if isinstance(items, list) else list(values)
        return [_parse_structure(inner, value) for value in values]
    return _parse_structure(field, values[0])


def _parse_structure(field: Field | None, value: Any) -> Any:
    """Decode JSON for dictionary and nested fields, since queries and forms only contain texts."""
    if isinstance(field, fields.Mapping | fields.Nested) and _starts_with_any(value, "{["):
        return _parse_json_or_text(value)
    return value


def _starts_with_any(value: Any, openings: str) -> bool:
    return isinstance(value, str) and value.lstrip()[:1] in tuple(openings)


def _parse_json_or_text(text: str) -> Any:
    try:
        return loads_in_steps(text)
    except ValueError:
        return text
