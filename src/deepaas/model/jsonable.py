"""JSON read, and authors' values written as JSON: NumPy, pandas, sets and more, what it cannot say named.

It must not know what the values are for.
"""

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

from deepaas.errors import UnfitResponse

_TIME_KINDS = {"M": "datetime64", "m": "timedelta64"}
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
_DEPTH_LIMIT = 200
_RESULT = "the result"
_EPOCH_YEAR = 1970
_NOT_A_TIME = "it is NaT (not a time); put None in its place"
# orjson 3.13 writes NaN and infinities as null, and NumPy's NaT as a date that depends on its unit
# (https://github.com/ijl/orjson/issues/249); of an array of several dimensions, it leaves out times that it
# cannot write: `[["1971-01-01T00:00:00",]`. Only where its text looks like that is the value looked through.
_MAY_BE_WRONG = re.compile(rb'null|,\]|\[\]|"1970-01-01T00:00:00|"1677-09-21T00:12:43')
_SEARCHED_BYTES = 1 << 20
_OVERLAP = 20
_LONG_NUMBER = re.compile(rb"[-:,\[\s][0-9]{19}")  # not the digits behind a point
_LARGE_BYTES = 1 << 20
_ITEMS_OF_A_STEP = 1_000


class UnreadJson(NamedTuple):
    """JSON that is written as it is, without being read."""

    text: str


def loads(text: bytes | str) -> Any:
    """Return what JSON says, whole numbers of any length as they are. Raise `ValueError` for what is none."""
    found = orjson.loads(text)
    content = text.encode() if isinstance(text, str) else text
    if not _has_long_number(content):
        return found
    # orjson makes floats of whole numbers that do not fit into 64 bits.
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def loads_in_steps(text: bytes | str) -> Any:
    """Do the same as `loads`; other threads can run meanwhile, but it takes ten times as long."""
    if len(text) < _LARGE_BYTES:
        return loads(text)
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    # The functions in C read the whole text in one step: https://docs.python.org/3/c-api/init.html#thread-state-and-the-global-interpreter-lock
    decoder.scan_once = json.scanner.py_make_scanner(decoder)  # type: ignore[attr-defined]
    try:
        return decoder.decode(text if isinstance(text, str) else text.decode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _has_long_number(content: bytes) -> bool:
    """Look for it piece by piece: a search is one step, during which no other thread runs."""
    pieces = range(0, len(content), _SEARCHED_BYTES)
    return any(_LONG_NUMBER.search(content, begin, begin + _SEARCHED_BYTES + _OVERLAP) for begin in pieces)


def dumps(value: Any, what: str = _RESULT) -> bytes:
    """Return `value` as JSON. Raise `UnfitResponse` for what JSON cannot express, NaN included.

    `what` is how its message calls the value.
    """
    try:
        text = orjson.dumps(value, default=_written_by_orjson, option=_OPTIONS)
    except (TypeError, RecursionError):
        return _dumps_slowly(value, what)
    return dumps_plain(plain(value, what=what)) if _MAY_BE_WRONG.search(text) else text


def _written_by_orjson(value: Any) -> Any:
    return _as_fragment(value) if isinstance(value, UnreadJson) else _plainer(value)


def _as_fragment(value: Any) -> orjson.Fragment:
    if isinstance(value, UnreadJson):
        return orjson.Fragment(value.text)
    raise TypeError


def dumps_plain(value: Any) -> bytes:
    """Return plain JSON values, as `plain` makes them, as JSON, without looking for NaN again."""
    try:
        # With the option for NumPy, orjson imports NumPy to look whether an object is one of its arrays.
        return orjson.dumps(value, default=_as_fragment, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return _dumps_slowly(value)


def dumps_in_steps(value: Any) -> bytes:
    """Do the same as `dumps_plain`; other threads can run meanwhile, however large the value is."""
    return b"".join(_pieces(value))


def _pieces(value: Any) -> Iterator[bytes]:
    if not _is_large(value):
        yield dumps_plain(value)
    elif isinstance(value, dict):
        separator = b"{"
        for key, item in value.items():
            yield separator + dumps_plain(str(key)) + b":"
            yield from _pieces(item)
            separator = b","
        yield b"}"
    else:
        separator = b"["
        for begin in range(0, len(value), _ITEMS_OF_A_STEP):
            items = value[begin : begin + _ITEMS_OF_A_STEP]
            if not any(map(_is_large, items)):
                yield separator + dumps_plain(items)[1:-1]
            else:
                for item in items:
                    yield separator
                    yield from _pieces(item)
                    separator = b","
            separator = b","
        yield b"]"


def _is_large(value: Any) -> bool:
    """Return whether a list or dictionary has too many items, somewhere in it, for one step."""
    if not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return len(value) > _ITEMS_OF_A_STEP or any(_is_large(item) for item in items)


def plain(value: Any, inexpressible: Callable[[Any, str], Any] | None = None, what: str = _RESULT) -> Any:
    """Return `value` made of dictionaries, lists, strings, numbers, booleans and None alone.

    `inexpressible` is called with each value that JSON cannot express and the reason, and returns what to
    put in its place; without it, `UnfitResponse` is raised.
    """
    return _Plain(inexpressible or _refuse).convert(value, _Place(None, what), 0)


def _dumps_slowly(value: Any, what: str = _RESULT) -> bytes:
    return json.dumps(
        plain(value, what=what), ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode("utf-8", "replace")


def _refuse(_: Any, reason: str) -> Any:
    raise UnfitResponse(reason)


class _Place(NamedTuple):
    """Where a value stands in another; written out only when there is something to say of it.

    The key of the outermost is what the whole is called.
    """

    outer: "_Place | None"
    key: Any

    def __str__(self) -> str:
        keys = []
        place = self
        while place.outer:
            keys.append(f"[{place.key!r}]")
            place = place.outer
        return str(place.key) + "".join(reversed(keys))


class _Plain:
    """One walk through a value."""

    def __init__(self, inexpressible: Callable[[Any, str], Any]) -> None:
        self._inexpressible = inexpressible

    def convert(self, value: Any, where: "_Place", depth: int) -> Any:
        if value is None or (isinstance(value, str | bool | int) and not isinstance(value, enum.Enum)):
            return value
        if isinstance(value, float):
            return self._number(float(value), where)
        if isinstance(value, UnreadJson):
            return loads(value.text)
        if depth > _DEPTH_LIMIT:
            return self._inexpressible(value, f"{where} is nested too deeply, or contains itself")
        if isinstance(value, Mapping):
            return {
                _key(key): self.convert(item, _Place(where, key), depth + 1) for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.convert(item, _Place(where, index), depth + 1) for index, item in enumerate(value)]
        try:
            simpler = _plainer(value)
        except (TypeError, ValueError, UnicodeDecodeError) as error:
            return self._inexpressible(value, f"{where} cannot be expressed in JSON: {error}")
        return self.convert(simpler, where, depth + 1)

    def _number(self, value: float, where: "_Place") -> Any:
        if math.isfinite(value):
            return value
        name = "NaN" if math.isnan(value) else "infinite"
        return self._inexpressible(value, f"{where} is {name}, which JSON cannot express")


def _key(key: Any) -> str:
    if isinstance(key, str):
        return str(key)
    simpler = key if isinstance(key, bool | int | float | type(None)) else _key_text(key)
    return simpler if isinstance(simpler, str) else json.dumps(simpler)


def _key_text(key: Any) -> Any:
    try:
        simpler = _plainer(key)
    except (TypeError, ValueError):
        return str(key)
    return simpler if isinstance(simpler, str | bool | int | float) else str(key)


def _plainer(value: Any) -> Any:
    """Return a value one step closer to JSON. Raise `TypeError` when there is no such step."""
    match value:
        case enum.Enum():
            return value.value
        case dt.timedelta():
            return str(value)
        case dt.date() | dt.time():
            if _is_named(value, "NaTType"):
                raise TypeError(_NOT_A_TIME)
            return value.isoformat()
        case uuid.UUID() | decimal.Decimal() | IPv4Address() | IPv6Address():
            return str(value)  # an interface is an address, too
        case os.PathLike():
            return os.fspath(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value).decode()
        case tuple() | list() | set() | frozenset():
            return list(value)
        case Mapping():
            return dict(value)
    return _from_library(value)


def _from_library(value: Any) -> Any:
    """Convert the values of NumPy, pandas and what is made like them, without importing any of them."""
    if _is_named(value, "DataFrame"):
        return _records(value)
    if _is_named(value, "Series"):
        return _by_label(value) if _is_labelled(value.index) else list(map(_or_none, value))
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if type(value).__module__ == "numpy" and value.dtype.kind in _TIME_KINDS:
        return _times(value)
    for method in ("tolist", "to_list"):
        if callable(getattr(type(value), method, None)):
            return _changed(value, getattr(value, method)())
    if isinstance(value, Iterable) and not isinstance(value, type) and hasattr(value, "__len__"):
        return list(value)
    raise TypeError(f"{type(value).__module__}.{type(value).__qualname__} has no JSON form")


def _times(value: Any) -> Any:
    """Return NumPy's dates and times as texts, or one by one where one of them is none."""
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


def _records(frame: Any) -> list[dict[Any, Any]]:
    """Return the rows of a frame, with the labels of its index, unless they are mere numbers of rows."""
    if not _is_numbered(frame.index):
        try:
            frame = frame.reset_index()
        except ValueError as error:  # the index is named like a column
            raise TypeError(f"{error}; rename the index") from error
    twice = _repeated(frame.columns)
    if twice is not None:
        raise TypeError(f"it has two columns {twice!r}; rename one")
    return [{key: _or_none(item) for key, item in row.items()} for row in frame.to_dict("records")]


def _by_label(series: Any) -> dict[Any, Any]:
    twice = _repeated(series.index)
    if twice is not None:
        raise TypeError(f"it has two values labelled {twice!r}; return a list, or make the labels unique")
    return {label: _or_none(item) for label, item in series.items()}


def _is_numbered(index: Any) -> bool:
    """Return whether the labels of a frame's index are no more than numbers of rows."""
    return bool(index.nlevels == 1 and index.name is None and index.dtype.kind == "i")


def _is_labelled(index: Any) -> bool:
    """Return whether the labels of a series are others than 0, 1, 2 and so on."""
    return not (_is_numbered(index) and list(index) == list(range(len(index))))


def _repeated(labels: Any) -> str | None:
    """Return a label that occurs twice, as JSON has it, if there is one."""
    seen: set[str] = set()
    for label in map(_key, labels):
        if label in seen:
            return label
        seen.add(label)
    return None


def _or_none(item: Any) -> Any:
    """Return None for what pandas puts where a time or a value is missing."""
    return None if _is_named(item, "NaTType") or _is_named(item, "NAType") else item


def _changed(before: Any, after: Any) -> Any:
    if type(after) is type(before):
        raise TypeError(f"{type(before).__module__}.{type(before).__qualname__} has no JSON form")
    return after


def _is_named(value: Any, name: str) -> bool:
    return type(value).__name__ == name and type(value).__module__.startswith("pandas")
