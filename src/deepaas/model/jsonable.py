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
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple

import orjson

from deepaas.errors import UnfitResponse

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
_DEPTH_LIMIT = 200
_RESULT = "the result"
_LONG_NUMBER = re.compile(rb"[-:,\[\s][0-9]{19}")  # not the digits behind a point


def loads(text: bytes | str) -> Any:
    """Return what JSON says, whole numbers of any length as they are. Raise `ValueError` for what is none."""
    found = orjson.loads(text)
    content = text.encode() if isinstance(text, str) else text
    if not _LONG_NUMBER.search(content):
        return found
    # orjson makes floats of whole numbers that do not fit into 64 bits.
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def dumps(value: Any, what: str = _RESULT) -> bytes:
    """Return `value` as JSON. Raise `UnfitResponse` for what JSON cannot express, NaN included.

    `what` is how its message calls the value.
    """
    try:
        text = orjson.dumps(value, default=_plainer, option=_OPTIONS)
    except (TypeError, RecursionError):
        return _dumps_slowly(value, what)
    if b"null" in text:
        # orjson writes NaN and infinities as null; only then is it worth looking whether there is one.
        plain(value, what=what)
    return text


def dumps_plain(value: Any) -> bytes:
    """Return plain JSON values, as `plain` makes them, as JSON, without looking for NaN again."""
    try:
        return orjson.dumps(value, option=_OPTIONS)
    except TypeError:
        return _dumps_slowly(value)


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
            return None if _is_named(value, "NaTType") else value.isoformat()
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
        return value.to_dict("records")
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if getattr(getattr(value, "dtype", None), "kind", "") == "M" and hasattr(value, "astype"):
        return value.astype("datetime64[us]").astype(str).tolist()
    for method in ("tolist", "to_list"):
        if callable(getattr(type(value), method, None)):
            return _changed(value, getattr(value, method)())
    if isinstance(value, Iterable) and not isinstance(value, type) and hasattr(value, "__len__"):
        return list(value)
    raise TypeError(f"{type(value).__module__}.{type(value).__qualname__} has no JSON form")


def _changed(before: Any, after: Any) -> Any:
    if type(after) is type(before):
        raise TypeError(f"{type(before).__module__}.{type(before).__qualname__} has no JSON form")
    return after


def _is_named(value: Any, name: str) -> bool:
    return type(value).__name__ == name and type(value).__module__.startswith("pandas")
