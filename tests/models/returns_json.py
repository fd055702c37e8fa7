"""A model that returns the value that an argument names, to be sent as JSON."""

import collections
import dataclasses
import datetime
import decimal
import enum
import pathlib
import threading
import uuid

import numpy as np
import pandas as pd
from webargs import fields


@dataclasses.dataclass
class Point:
    x: int
    y: np.ndarray


class Colour(enum.Enum):
    RED = "red"


VALUES = {
    "text": 'a text, not "quoted"',
    "none": None,
    "nested": {"a": [1, 2.5, True, None, {"b": "ü"}]},
    "float32": np.float32(0.5),
    "int64": np.int64(7),
    "bool_": np.bool_(True),
    "str_": np.str_("numpy"),
    "array": np.arange(6).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "sliced": np.arange(10)[::2],
    "float16": np.ones(2, dtype=np.float16),
    "texts": np.array(["a", "b"]),
    "objects": np.array([{"a": 1}, None], dtype=object),
    "array0": np.array(5),
    "numpy_in_dict": {"scores": np.array([0.5, 1.0], dtype="float32"), np.int64(3): np.int32(4)},
    "datetime64": np.datetime64("2020-01-02"),
    "frame": pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
    "series": pd.Series([1, 2]),
    "index": pd.Index(["a", "b"]),
    "timestamp": pd.Timestamp("2020-01-02 03:04:05"),
    "path": pathlib.Path("/a/b"),
    "date": datetime.date(2020, 1, 2),
    "datetime": datetime.datetime(2020, 1, 2, 3, 4, 5),
    "time": datetime.time(3, 4),
    "timedelta": datetime.timedelta(seconds=61),
    "uuid": uuid.UUID(int=5),
    "decimal": decimal.Decimal("1.50"),
    "set": {1},
    "tuple": (1, (2,)),
    "bytes": b"text in bytes",
    "dataclass": Point(1, np.array([2])),
    "enum": Colour.RED,
    "ordered": collections.OrderedDict(b=1, a=2),
    "default": collections.defaultdict(list, a=[1]),
    "deque": collections.deque([1, 2]),
    "big": 2**70,
    "int_keys": {1: "a", (1, 2): "b"},
    "surrogate": "\ud800",
    "nan": {"scores": [1.0, float("nan")]},
    "infinity": float("inf"),
    "numpy_nan": {"scores": np.array([1.0, np.nan])},
    "frame_nan": pd.DataFrame({"a": [1.0, float("nan")]}),
    "lock": {"lock": threading.Lock()},
    "no_text": b"\xff\xfe",
    "large": ["0123456789"] * 200_000,
}
VALUES["loop"] = [VALUES["nested"]]
VALUES["loop"].append(VALUES["loop"])


def get_predict_args():
    return {"what": fields.Str(required=True)}


def predict(what):
    return VALUES[what]
