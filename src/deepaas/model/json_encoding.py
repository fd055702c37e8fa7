"""Reads JSON, and encodes predictions as JSON: NumPy, pandas, sets and more; errors name the value's path."""

import datetime as dt
import decimal
import enum
import json
import math
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple

import orjson

from deepaas.errors import InvalidResponse

_TIME_KINDS = {"M": "datetime64", "m": "timedelta64"}
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
_DEPTH_LIMIT = 200
_RESULT_NAME = "the result"
_EPOCH_YEAR = 1970
_NOT_A_TIME = "it is NaT (not a time); use None instead"
# orjson 3.13 writes NaN and infinities as null, and NumPy's NaT as a date that depends on its unit
# (https://github.com/ijl/orjson/issues/249). In an array of several dimensions it omits times that it cannot
# write: `[["1971-01-01T00:00:00",]`. Only if the output matches this pattern is the value searched for them.
_SUSPECT_OUTPUT = re.compile(rb'null|,\]|\[\]|"1970-01-01T00:00:00|"1677-09-21T00:12:43')
_SEARCH_CHUNK_BYTES = 1 << 20
_SEARCH_OVERLAP_BYTES = 20
_LONG_NUMBER = re.compile(rb"[-:,\[\s][0-9]{19}")  # excludes digits after a decimal point
_LARGE_BYTES = 1 << 20
_MAX_STEP_ITEMS = 1_000


class RawJson(NamedTuple):
    """JSON text to include in other JSON without parsing it."""

    text: str


def loads(text: bytes | str) -> Any:
    """Decode JSON, with integers of any size. Raise `ValueError` if it is not JSON."""
    value = orjson.loads(text)
    content = text.encode() if isinstance(text, str) else text
    if not _has_long_number(content):
        return value
    # orjson converts integers that do not fit into 64 bits to floats.
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def loads_in_steps(text: bytes | str) -> Any:
    """Like `loads`, but other threads can run while it decodes a large text; it takes ten times as long."""
    if len(text) < _LARGE_BYTES:
        return loads(text)
    decoder = json.JSONDecoder(parse_constant=_reject_constant)
    # The C scanner holds the GIL for the whole text: https://docs.python.org/3/c-api/init.html#thread-state-and-the-global-interpreter-lock
    decoder.scan_once = json.scanner.py_make_scanner(decoder)  # type: ignore[attr-defined]
    try:
        return decoder.decode(text if isinstance(text, str) else text.decode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not valid JSON")


def _has_long_number(content: bytes) -> bool:
    """Search in chunks, because a search holds the GIL."""
    pieces = range(0, len(content), _SEARCH_CHUNK_BYTES)
    return any(
        _LONG_NUMBER.search(content, begin, begin + _SEARCH_CHUNK_BYTES + _SEARCH_OVERLAP_BYTES)
        for begin in pieces
    )


def dumps(value: Any, value_name: str = _RESULT_NAME) -> bytes:
    """Encode `value` as JSON. Raise `InvalidResponse` for values that JSON cannot express, including NaN.

    `value_name` is the name of the value in error messages.
    """
    try:
        text = orjson.dumps(value, default=_encode_default, option=_OPTIONS)
    except (TypeError, RecursionError):
        return _dumps_slowly(value, value_name)
    return dumps_jsonable(to_jsonable(value, value_name=value_name)) if _SUSPECT_OUTPUT.search(text) else text


def _encode_default(value: Any) -> Any:
    return _to_fragment(value) if isinstance(value, RawJson) else _simplify_once(value)


def _to_fragment(value: Any) -> orjson.Fragment:
    if isinstance(value, RawJson):
        return orjson.Fragment(value.text)
    raise TypeError


def dumps_jsonable(value: Any) -> bytes:
    """Encode JSON values, such as the result of `to_jsonable`, without searching for NaN again."""
    try:
        # Without OPT_SERIALIZE_NUMPY: with it, orjson imports NumPy to recognise arrays.
        return orjson.dumps(value, default=_to_fragment, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return _dumps_slowly(value)


def dumps_in_steps(value: Any) -> bytes:
    """Like `dumps_jsonable`, but other threads can run while it encodes a large value."""
    return b"".join(_iterate_chunks(value))


def _iterate_chunks(value: Any) -> Iterator[bytes]:
    if not _is_large(value):
        yield dumps_jsonable(value)
    elif isinstance(value, dict):
        separator = b"{"
        for key, item in value.items():
            yield separator + dumps_jsonable(str(key)) + b":"
            yield from _iterate_chunks(item)
            separator = b","
        yield b"}"
    else:
        separator = b"["
        for begin in range(0, len(value), _MAX_STEP_ITEMS):
            items = value[begin : begin + _MAX_STEP_ITEMS]
            if not any(map(_is_large, items)):
                yield separator + dumps_jsonable(items)[1:-1]
            else:
                for item in items:
                    yield separator
                    yield from _iterate_chunks(item)
                    separator = b","
            separator = b","
        yield b"]"


def _is_large(value: Any) -> bool:
    """Return whether the value is or contains a list or dictionary that is too long for one step."""
    if not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return len(value) > _MAX_STEP_ITEMS or any(_is_large(item) for item in items)


def to_jsonable(
    value: Any, default: Callable[[Any, str], Any] | None = None, value_name: str = _RESULT_NAME
) -> Any:
    """Convert `value` to dictionaries, lists, strings, numbers, booleans and None.

    `default(value, reason)` returns the replacement of a value that JSON cannot express; without `default`,
    raise `InvalidResponse`.
    """
    return _Converter(default or _raise_unfit_response).convert(value, _JsonPath(None, value_name), 0)


def _dumps_slowly(value: Any, value_name: str = _RESULT_NAME) -> bytes:
    return json.dumps(
        to_jsonable(value, value_name=value_name), ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode("utf-8", "replace")


def _raise_unfit_response(_: Any, reason: str) -> Any:
    raise InvalidResponse(reason)


class _JsonPath(NamedTuple):
    """The path of a value inside another one, formatted only for error messages.

    The key of the root is the name of the outermost value.
    """

    parent: "_JsonPath | None"
    key: Any

    def __str__(self) -> str:
        keys = []
        path = self
        while path.parent:
            keys.append(f"[{path.key!r}]")
            path = path.parent
        return str(path.key) + "".join(reversed(keys))


class _Converter:
    """Converts a value to JSON values, recursively."""

    def __init__(self, default: Callable[[Any, str], Any]) -> None:
        self._default = default

    def convert(self, value: Any, path: "_JsonPath", depth: int) -> Any:
        if value is None or (isinstance(value, str | bool | int) and not isinstance(value, enum.Enum)):
            return value
        if isinstance(value, float):
            return self._convert_number(float(value), path)
        if isinstance(value, RawJson):
            return loads(value.text)
        if depth > _DEPTH_LIMIT:
            return self._default(value, f"{path} is nested too deeply, or contains itself")
        if isinstance(value, Mapping):
            return {
                _convert_key(key): self.convert(item, _JsonPath(path, key), depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.convert(item, _JsonPath(path, index), depth + 1) for index, item in enumerate(value)]
        try:
            simpler = _simplify_once(value)
        except (TypeError, ValueError, UnicodeDecodeError) as error:
            return self._default(value, f"{path} cannot be expressed in JSON: {error}")
        return self.convert(simpler, path, depth + 1)

    def _convert_number(self, value: float, path: "_JsonPath") -> Any:
        if math.isfinite(value):
            return value
        name = "NaN" if math.isnan(value) else "infinite"
        return self._default(value, f"{path} is {name}, which JSON cannot express")


def _convert_key(key: Any) -> str:
    if isinstance(key, str):
        return str(key)
    simpler = key if isinstance(key, bool | int | float | type(None)) else _simplify_key(key)
    return simpler if isinstance(simpler, str) else json.dumps(simpler)


def _simplify_key(key: Any) -> Any:
    try:
        simpler = _simplify_once(key)
    except (TypeError, ValueError):
        return str(key)
    return simpler if isinstance(simpler, str | bool | int | float) else str(key)


def _simplify_once(value: Any) -> Any:
    """Convert the outermost level of a value towards JSON. Raise `TypeError` if that is impossible."""
    match value:
        case enum.Enum():
            return value.value
        case dt.timedelta():
            return str(value)
        case dt.date() | dt.time():
            if _is_pandas_type(value, "NaTType"):
                raise TypeError(_NOT_A_TIME)
            return value.isoformat()
        case uuid.UUID() | decimal.Decimal() | IPv4Address() | IPv6Address():
            return str(value)  # ipaddress interfaces are subclasses of addresses
        case os.PathLike():
            return os.fspath(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value).decode()
        case tuple() | list() | set() | frozenset():
            return list(value)
        case Mapping():
            return dict(value)
    return _simplify_library_value(value)


def _simplify_library_value(value: Any) -> Any:
    """Convert values of NumPy, pandas and similar libraries, without importing the libraries."""
    if _is_pandas_type(value, "DataFrame"):
        return _convert_frame(value)
    if _is_pandas_type(value, "Series"):
        return _convert_series(value)
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if type(value).__module__ == "numpy" and value.dtype.kind in _TIME_KINDS:
        return _convert_times(value)
    for method in ("tolist", "to_list"):
        if callable(getattr(type(value), method, None)):
            return _ensure_changed(value, getattr(value, method)())
    if isinstance(value, Iterable) and not isinstance(value, type) and hasattr(value, "__len__"):
        return list(value)
    raise TypeError(f"{type(value).__module__}.{type(value).__qualname__} has no JSON form")


def _convert_times(value: Any) -> Any:
    """Convert NumPy dates and times; an array with a NaT becomes a list of scalars, to locate the error."""
    is_missing = value != value  # noqa: PLR0124 - only NaT is different from itself
    if value.ndim and is_missing.any():
        return list(value)
    if not value.ndim and is_missing:
        raise TypeError(_NOT_A_TIME)
    in_microseconds = value.astype(f"{_TIME_KINDS[value.dtype.kind]}[us]")
    if value.dtype.kind == "m":
        return in_microseconds.tolist()
    years = value.astype("datetime64[Y]").astype(int) + _EPOCH_YEAR
    is_usual = ((years >= dt.MINYEAR) & (years <= dt.MAXYEAR)).all()
    return (in_microseconds if is_usual else in_microseconds.astype(str)).tolist()


def _convert_frame(frame: Any) -> list[dict[Any, Any]]:
    """Return the rows of a data frame, including the labels of its index unless they are row numbers."""
    if not _has_row_numbers(frame.index):
        try:
            frame = frame.reset_index()
        except ValueError as error:  # the index has the name of a column
            raise TypeError(f"{error}; rename the index") from error
    repeated = _find_repeated_label(frame.columns)
    if repeated is not None:
        raise TypeError(f"it has two columns {repeated!r}; rename one")
    return [{key: _replace_missing(item) for key, item in row.items()} for row in frame.to_dict("records")]


def _convert_series(series: Any) -> Any:
    """Return the values by label, or as a list if the labels are 0, 1, 2 and so on."""
    if _has_row_numbers(series.index) and list(series.index) == list(range(len(series))):
        return list(map(_replace_missing, series))
    repeated = _find_repeated_label(series.index)
    if repeated is not None:
        raise TypeError(f"it has two values labelled {repeated!r}; return a list, or make the labels unique")
    return {label: _replace_missing(item) for label, item in series.items()}


def _has_row_numbers(index: Any) -> bool:
    """Return whether a data frame's index is unnamed integers."""
    return bool(index.nlevels == 1 and index.name is None and index.dtype.kind == "i")


def _find_repeated_label(labels: Any) -> str | None:
    """Return the first label that occurs twice after conversion to a JSON key, or `None`."""
    seen: set[str] = set()
    for label in map(_convert_key, labels):
        if label in seen:
            return label
        seen.add(label)
    return None


def _replace_missing(item: Any) -> Any:
    """Return None for NaT and NA, pandas' markers of missing values."""
    return None if _is_pandas_type(item, "NaTType") or _is_pandas_type(item, "NAType") else item


def _ensure_changed(before: Any, after: Any) -> Any:
    if type(after) is type(before):
        raise TypeError(f"{type(before).__module__}.{type(before).__qualname__} has no JSON form")
    return after


def _is_pandas_type(value: Any, name: str) -> bool:
    return type(value).__name__ == name and type(value).__module__.startswith("pandas")
