"""Predictions through the client: types of arguments and results."""

import datetime as dt
import io
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deepaas.client import Client, InvalidArguments, Model
from support.models import SPELLINGS_OF_ACCEPT
from support.server import Server, serving

SERVED = [
    "as_class",
    "all_fields",
    "data_keys",
    "echoing",
    "negotiated",
    "null_defaults",
    "odd_names",
    "returns_files",
    "schema_dict",
    "streams",
    "uploads",
    *SPELLINGS_OF_ACCEPT,
]

BYTES = "application/octet-stream"
CONTENT = bytes(range(256))
DIGIT = Path(__file__).parents[2] / "examples" / "digits" / "three.png"
ARGUMENTS: dict[str, Any] = {
    "text": 'a "text", ü',
    "number": 0.5,
    "flag": False,
    "numbers": [1, 2, 3],
    "delimited": [4, 5],
    "table": {"a": [1, {"b": None}]},
    "X-Word": "wörd",
}


@pytest.fixture(scope="module")
def asking(server: Server) -> Iterator[Client]:
    """Return a client of the server with all small models."""
    with Client(server.url) as client:
        yield client


@pytest.fixture(scope="module")
def echoing(asking: Client) -> Model:
    """Return a model that returns its arguments."""
    return asking["echoing"]


def predicted(model: Model, **arguments: Any) -> Any:
    """Return the prediction of a model without a schema."""
    return json.loads(model.predict(**arguments)["predictions"])


def test_null_defaults(asking: Client) -> None:
    """Arguments with a null default stay optional, and lists stay lists."""
    model = asking["null_defaults"]
    assert set(predicted(model).values()) == {None}
    given = {"number": 1, "choice": "a", "numbers": [1], "delimited": [1, 2], "table": None, "X-Word": "w"}
    assert predicted(model, **given) == given | {"picture": None}
    found = predicted(model, numbers=[1, 2], picture=("a.txt", b"x"))
    assert found["numbers"] == [1, 2]
    assert found["picture"][-1] == "a.txt"


@pytest.mark.slow
def test_digits(tmp_path: Path) -> None:
    """The digits example recognises the digit in a file, and draws it."""
    with serving(tmp_path, models={"digits": "digits.model"}) as server, Client(server.url) as client:
        digits = client["digits"]
        assert digits.predict(image=DIGIT, top=1)["labels"] == [3]
        assert digits.predict(image=str(DIGIT), accept="image/png").startswith(b"\x89PNG")
        with pytest.raises(InvalidArguments) as caught:
            digits.predict(image=DIGIT, top=11)
        assert caught.value.messages == {
            "top": ["Must be greater than or equal to 1 and less than or equal to 10."]
        }


@pytest.mark.parametrize("file", [{}, {"data": ("a.txt", b"x")}], ids=["json", "form"])
def test_arguments(echoing: Model, file: dict[str, Any]) -> None:
    """Arguments of every type arrive unchanged, with and without a file."""
    found = predicted(echoing, **ARGUMENTS, **file)
    assert found == ARGUMENTS | ({"file": "a.txt"} if file else {})


@pytest.mark.parametrize("numbers", [[], [7], ["8"]])
def test_lists_beside_a_file(echoing: Model, numbers: list[Any]) -> None:
    """In a form, a list with one item or none stays a list."""
    given = {"numbers": [int(number) for number in numbers], "data": b"x"}
    assert predicted(echoing, **given)["numbers"] == given["numbers"]


def test_null(echoing: Model) -> None:
    """None is null in JSON, and an error in a form."""
    assert predicted(echoing, number=None) == {"number": None}
    with pytest.raises(InvalidArguments, match="number: None cannot be sent together with a file"):
        echoing.predict(number=None, data=b"x")
    assert predicted(echoing, data=None, flag=True) == {"flag": True}


def test_values_of_libraries(asking: Client, echoing: Model) -> None:
    """NumPy values, dates and UUIDs are converted."""
    assert predicted(echoing, number=np.float32(0.5), numbers=np.arange(3)) == {
        "number": 0.5,
        "numbers": [0, 1, 2],
    }
    moment, identity = dt.datetime(2020, 1, 2, tzinfo=dt.UTC), uuid.UUID(int=5)
    found = predicted(asking["all_fields"], datetime=moment, uuid=identity)
    assert found["datetime"] == ["datetime", "2020-01-02T00:00:00+00:00"]
    assert found["uuid"] == ["UUID", str(identity)]


def test_null_parameters(asking: Client) -> None:
    """None is null for a list of one text, and an error in a header, which has no null."""
    model = asking["null_defaults"]
    assert predicted(model, delimited=None)["delimited"] is None
    with pytest.raises(InvalidArguments, match="X-Word: None cannot be sent in a header"):
        model.predict(**{"X-Word": None})


def test_inexpressible(echoing: Model) -> None:
    """A value that JSON cannot express is an error of its argument."""
    with pytest.raises(InvalidArguments) as caught:
        echoing.predict(table={"a": [float("nan")]})
    assert caught.value.messages == {"table": ["'table'['a'][0] is NaN, which JSON cannot express"]}


def test_odd_names(asking: Client) -> None:
    """Arguments may have any name, even `self`."""
    given = {"self": "a", "class": "b", "bbox(N,W,S,E)": "c", "größe": "d", "required.dot": 1}
    assert predicted(asking["odd_names"], **given) == given
    assert predicted(asking["data_keys"], **{"image-size": 3, "the-image": b"x"})["size"] == "3"


def test_files(echoing: Model, tmp_path: Path) -> None:
    """Paths, bytes and open files arrive with their content and name."""
    path = tmp_path / "ü 1.tar.gz"
    path.write_bytes(CONTENT)
    with path.open("rb") as opened:
        opened.read(7)
        for value in (path, str(path), opened, CONTENT, bytearray(CONTENT), io.BytesIO(CONTENT)):
            assert echoing.predict(data=value, accept=BYTES) == CONTENT
        for value in (path, str(path), opened, (path.name, CONTENT), (path.name, io.BytesIO(CONTENT))):
            assert predicted(echoing, data=value) == {"file": path.name}
        assert not opened.closed
    assert predicted(echoing, data=CONTENT) == {"file": "data"}


def test_lists_of_files(asking: Client) -> None:
    """A list of files arrives complete and in order; a single file is also accepted."""
    found = predicted(asking["uploads"], many=[b"1", ("b.txt", b"2")], one=b"3")
    assert [(one["original_filename"], one["content"]) for one in found["many"]] == [
        ("many", "1"),
        ("b.txt", "2"),
    ]
    assert [one["content"] for one in predicted(asking["uploads"], marked=b"4")["marked"]] == ["4"]


def test_arrays_and_pictures(echoing: Model) -> None:
    """A NumPy array is sent as .npy, a PIL image as PNG."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert predicted(echoing, data=array) == {"file": "data.npy"}
    back = np.load(io.BytesIO(echoing.predict(data=array, accept=BYTES)))
    assert (back.dtype, back.tolist()) == (array.dtype, array.tolist())
    picture = Image.new("RGB", (3, 2), "red")
    assert predicted(echoing, data=picture) == {"file": "data.png"}
    with Image.open(io.BytesIO(echoing.predict(data=picture, accept=BYTES))) as seen:
        assert (seen.size, seen.getpixel((0, 0))) == ((3, 2), (255, 0, 0))


@pytest.mark.parametrize("value", [3, {"a": 1}, [b"x"]])
def test_no_file(echoing: Model, value: Any) -> None:
    """The error lists the accepted types."""
    with pytest.raises(InvalidArguments, match="Give a path, bytes"):
        echoing.predict(data=value)
    with pytest.raises(InvalidArguments, match="got a file opened in text mode"):
        echoing.predict(data=io.StringIO("x"))


def test_missing_file(echoing: Model) -> None:
    """A missing path raises FileNotFoundError."""
    with pytest.raises(FileNotFoundError, match="nowhere"):
        echoing.predict(data="nowhere.png")


@pytest.mark.parametrize(
    ("accept", "answer"), [("text/plain", "ü"), (BYTES, "ü".encode())], ids=["text", "bytes"]
)
def test_types(echoing: Model, accept: str, answer: str | bytes) -> None:
    """Text is str; any type other than text and JSON is bytes."""
    assert echoing.predict(data="ü".encode(), accept=accept) == answer


def test_schema(asking: Client) -> None:
    """A prediction with a schema has no envelope."""
    assert asking["schema_dict"].predict() == {"labels": ["a"], "scores": [0.5]}


def test_predict_to(asking: Client, tmp_path: Path) -> None:
    """A large prediction is written to a file; a failed one leaves no file."""
    path = tmp_path / "result.bin"
    assert asking["returns_files"].predict_to_file(path, what="large", accept=BYTES) == path
    assert path.read_bytes() == CONTENT * 20_000
    with pytest.raises(InvalidArguments):
        asking["returns_files"].predict_to_file(tmp_path / "other.bin")
    assert list(tmp_path.iterdir()) == [path]


def test_metadata(asking: Client, server: Server) -> None:
    """Metadata of one model and of all, and the schemas of arguments."""
    assert asking["as_class"].metadata()["name"] == "as_class"
    assert "as_class" in [model["name"] for model in asking.models()]
    number = asking["echoing"].argument_schemas()["number"]
    assert (number["type"], number["minimum"]) == ("number", 0)


@pytest.mark.parametrize("model", SPELLINGS_OF_ACCEPT)
def test_every_spelling_of_accept(asking: Client, model: str) -> None:
    """Predictions work with and without a media type, wherever `accept` is located."""
    name = "Accept" if model.endswith("Renamed") else "accept"
    assert json.loads(asking[model].predict()["predictions"]) == {"accept": "application/json"}
    assert asking[model].predict(**{name: "application/pdf"}) == b"it was application/pdf"
