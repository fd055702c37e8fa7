"""Encoding as JSON: exact values, and errors that name the place."""

import datetime as dt
import ipaddress
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepaas.errors import InvalidResponse
from deepaas.model.json_encoding import (
    RawJson,
    dumps,
    dumps_in_steps,
    dumps_jsonable,
    loads,
    loads_in_steps,
    to_jsonable,
)

texts = st.text(st.characters(exclude_categories=["Cs"]))
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
json_values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_round_trip(value: Any) -> None:
    """JSON values stay the same, including integers of any size."""
    assert json.loads(dumps(value)) == value
    assert to_jsonable(value) == value


@given(json_values, st.sampled_from([math.nan, math.inf, -math.inf]))
def test_never_invalid_json(value: Any, number: float) -> None:
    """NaN and infinity are rejected at any depth, and never become null."""
    for spoiled in (
        [value, number],
        {"a": value, "b": [number]},
        np.array([1.0, number]),
        np.float64(number),
    ):
        with pytest.raises(InvalidResponse):
            dumps(spoiled)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32)))
def test_arrays(values: list[float]) -> None:
    assert json.loads(dumps(np.array(values, dtype="float64"))) == values
    assert json.loads(dumps(np.array(values, dtype="float32"))) == pytest.approx(values)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (math.nan, "the result is NaN"),
        ({"a": [0, math.inf]}, "the result['a'][1] is infinite"),
        (
            {"a": {3: object()}},
            "the result['a'][3] cannot be expressed in JSON: builtins.object has no JSON form",
        ),
        ([None, np.array([[1.0], [math.nan]])], "the result[1][1][0] is NaN"),
        (b"\xff", "the result cannot be expressed"),
    ],
)
def test_places_are_named(value: Any, place: str) -> None:
    """The error names the path of the value that JSON cannot express."""
    with pytest.raises(InvalidResponse) as raised:
        dumps(value)
    assert place in raised.value.message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, b"null"),
        ([None], b"[null]"),
        ("null", b'"null"'),
        (
            np.array(["2020-01-02", "9999-01-01"], dtype="datetime64[s]"),
            b'["2020-01-02T00:00:00","9999-01-01T00:00:00"]',
        ),
        (np.array(["2020-01-02"], dtype="datetime64[D]"), b'["2020-01-02T00:00:00"]'),
        (dt.timedelta(hours=1), b'"1:00:00"'),
        (ipaddress.ip_interface("10.0.0.1/8"), b'"10.0.0.1/8"'),
        (np.complex128(1), None),
    ],
)
def test_odd_values(value: Any, expected: bytes | None) -> None:
    """Null stays null and dates are dates; complex numbers are rejected."""
    if expected is None:
        with pytest.raises(InvalidResponse):
            dumps(value)
    else:
        assert dumps(value) == expected


UNITS = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns"]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("kind", ["datetime64", "timedelta64"])
def test_not_a_time(kind: str, unit: str) -> None:
    """NaT is rejected for every unit and position, and never becomes a date or a number."""
    nat = np.array(["NaT"], dtype=f"{kind}[{unit}]")
    for value, place in (
        (nat, "the result[0]"),
        (nat[0], "the result"),
        ({"a": [nat[0]]}, "the result['a'][0]"),
        ({"a": np.array([[1, "NaT"]], dtype=nat.dtype)}, "the result['a'][0][1]"),
    ):
        with pytest.raises(InvalidResponse) as raised:
            dumps(value)
        assert raised.value.message.startswith(f"{place} cannot be expressed in JSON: it is NaT")


@pytest.mark.parametrize("unit", UNITS)
def test_dates_that_orjson_writes_for_nat(unit: str) -> None:
    """Dates that look like orjson's output for NaT are accepted."""
    written = json.loads(dumps(np.array([0], dtype=f"datetime64[{unit}]")))
    assert written[0].startswith("1970-01-01")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            pd.DataFrame({"t": pd.to_datetime(["2020-01-02", None])}),
            [{"t": "2020-01-02T00:00:00"}, {"t": None}],
        ),
        (pd.DataFrame({"t": pd.to_timedelta(["1s", None])}), [{"t": "0 days 00:00:01"}, {"t": None}]),
        (pd.DataFrame({"n": pd.array([1, None], dtype="Int64")}), [{"n": 1}, {"n": None}]),
        (pd.Series(pd.to_datetime(["2020-01-02", None])), ["2020-01-02T00:00:00", None]),
        (pd.Series([1, 2]), [1, 2]),
        (pd.Series({"cat": 0.9, "dog": 0.1}), {"cat": 0.9, "dog": 0.1}),
        (pd.Series([1, 1, 2]).value_counts(), {"1": 2, "2": 1}),
        (
            pd.Series([3.0, 4.0], index=pd.to_datetime(["2020-01-02", "2020-01-03"])),
            {"2020-01-02T00:00:00": 3.0, "2020-01-03T00:00:00": 4.0},
        ),
        (
            pd.DataFrame({"g": ["a", "a", "b"], "x": [1, 3, 5]}).groupby("g").mean(),
            [{"g": "a", "x": 2.0}, {"g": "b", "x": 5.0}],
        ),
        (pd.DataFrame({"x": [1]}, index=["a"]), [{"index": "a", "x": 1}]),
        (pd.DataFrame({"x": [1, 2]}, index=[0, 1]), [{"x": 1}, {"x": 2}]),
        (pd.DataFrame({"x": [1, 2, 3]})[1:], [{"x": 2}, {"x": 3}]),
        (pd.DatetimeIndex(["2020-01-02"]), ["2020-01-02T00:00:00"]),
    ],
)
def test_nothing_of_pandas_vanishes(value: Any, expected: Any) -> None:
    """Missing values are null; labels and group keys are kept, except row numbers."""
    assert json.loads(dumps(value)) == expected
    assert json.loads(dumps({"a": [value]})) == {"a": [expected]}
    assert json.loads(dumps_jsonable(to_jsonable(value))) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns 'a'"),
        (pd.Series([1, 2], index=["a", "a"]), "two values labelled 'a'"),
        (pd.DataFrame({"a": [1]}, index=pd.Index([5], name="a")), "rename the index"),
    ],
)
def test_labels_that_collide(value: Any, reason: str) -> None:
    """Labels that would overwrite each other are rejected."""
    with pytest.raises(InvalidResponse, match=reason):
        dumps([value])


def test_inexpressible_values_can_be_replaced() -> None:
    found = to_jsonable(
        {"a": math.nan, "b": [object]}, lambda value, reason: f"{type(value).__name__}: {reason}"
    )
    assert found["a"].startswith("float: the result['a'] is NaN")
    assert found["b"][0].startswith("type: the result['b'][0] cannot be expressed")


def test_loops_end() -> None:
    """A value that contains itself is rejected."""
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(InvalidResponse, match="contains itself"):
        dumps(loop)


def test_missing_time_of_pandas() -> None:
    """Outside of a data frame or series, pandas' NaT is an error, like NumPy's."""
    with pytest.raises(InvalidResponse, match=r"the result\['t'\] cannot be expressed in JSON: it is NaT"):
        dumps({"t": pd.NaT})


@pytest.mark.parametrize("beside", [None, [], 1])
def test_dates_are_written_alike(beside: Any) -> None:
    """The format of a date does not depend on the values beside it."""
    written = json.loads(dumps({"t": np.datetime64("2020-01-01"), "x": beside}))
    assert written["t"] == "2020-01-01T00:00:00"


@given(json_values)
def test_written_in_steps(value: Any) -> None:
    """Encoding in steps gives the same result."""
    for written in (value, [value, 1] * 2000, {"a": [[value] * 2000, value], "b": []}):
        assert dumps_in_steps(written) == dumps_jsonable(written)


@pytest.mark.parametrize("value", [[1.5, 2**70, 'ä😀\\"', None, True, [], {}], {"a": {"b": [1]}}, "text", 1])
def test_read_in_steps(value: Any) -> None:
    """Decoding in steps gives the same result, also for long numbers."""
    text = json.dumps(value).encode() + b" " * (1 << 20)
    assert loads_in_steps(text) == loads(text) == value


@pytest.mark.parametrize(
    "text",
    [b"[NaN]", b"[1,]", b"{1: 2}", b"\xff", pytest.param(b"[" * 100_000, id="deep"), b"[1] 2", b"-Infinity"],
)
def test_not_read_in_steps(text: bytes) -> None:
    """Invalid JSON is rejected when decoding in steps, too."""
    for one in (text, text + b" " * (1 << 20)):
        with pytest.raises(ValueError, match=r"."):
            loads_in_steps(one)


@pytest.mark.parametrize("write", [dumps, dumps_jsonable, dumps_in_steps])
@pytest.mark.parametrize("beside", [1, None, [None] * 2_000, "\ud800"])
def test_unread(write: Callable[[Any], bytes], beside: object) -> None:
    """RawJson is embedded unchanged, also when the other values need the slow encoder."""
    text = write({"kept": RawJson('{"a":[1,null]}'), "beside": beside})
    assert loads(text)["kept"] == {"a": [1, None]}
