"""The client rejects unknown and missing arguments before it sends anything; the server validates values."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deepaas.client import Client, InvalidArguments, ModelNotFound
from support.server import Server, serving

SERVED = ["all_fields", "echoing", "only_predict", "returns_files"]

MODEL = """
from pathlib import Path
from marshmallow import fields

def get_predict_args():
    return {name: fields.Str(required=True) for name in Path("names").read_text().split()}

def predict(**arguments):
    return arguments
"""


@pytest.fixture(scope="module")
def asking(server: Server) -> Iterator[Client]:
    """Return a client of the server with all small models."""
    with Client(server.url) as client:
        yield client


@pytest.mark.parametrize(
    ("given", "messages"),
    [
        ({"number": -1}, {"number": ["Must be greater than or equal to 0."]}),
        ({"number": "x"}, {"number": ["Not a valid number."]}),
        ({"text": "x" * 30}, {"text": ["Longer than maximum length 20."]}),
        ({"numbers": [1, "x"]}, {"numbers": {"1": ["Not a valid integer."]}}),
        ({"table": [1], "flag": 2}, {"table": None, "flag": ["Not a valid boolean."]}),
        ({"accept": "a/b", "delimited": ["x"]}, {"accept": None, "delimited": None}),
        ({"number": -1, "data": b"x"}, {"number": ["Must be greater than or equal to 0."]}),
        ({"numbr": 1, "nothing": 2}, {"numbr": None, "nothing": None}),
    ],
)
def test_unfit(asking: Client, given: dict[str, Any], messages: dict[str, Any]) -> None:
    """All errors are reported, by argument."""
    with pytest.raises(InvalidArguments) as caught:
        asking["echoing"].predict(**given)
    said = caught.value.messages
    assert said == {name: texts or said[name] for name, texts in messages.items()}
    assert caught.value.status == 422


def test_unknown(asking: Client) -> None:
    """The error for an unknown argument or model lists the known ones."""
    with pytest.raises(InvalidArguments, match=r"numbr: No such argument\. Available: .*numbers"):
        asking["echoing"].predict(numbr=1)
    with pytest.raises(ModelNotFound, match=r"'echo' .*Available: .*echoing"):
        asking["echo"].predict()


def test_without_checking(server: Server) -> None:
    """With `validate=False`, unknown and missing arguments are left to the server too."""
    with Client(server.url, validate=False) as client:
        assert client["echoing"].predict(number="3", nothing=1)["predictions"] == '{"number":3.0}'
        with pytest.raises(InvalidArguments, match="what: Missing data for required field"):
            client["returns_files"].predict()


def test_nothing_is_sent(tmp_path: Path) -> None:
    """Unknown and missing arguments are not sent; changed declarations are fetched again."""
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "names").write_text("a b")
    flags = ("--model", "./model.py", "--predictions", "json")
    with serving(tmp_path, *flags, models={}) as server, Client(server.url) as client:
        model = client["model"]
        with pytest.raises(InvalidArguments) as caught:
            model.predict(a="x", c="y")
        assert caught.value.messages == {
            "b": ["Missing data for required field."],
            "c": ["No such argument. Available: a, b."],
        }
        with server.client() as http:
            assert 'method="POST"' not in http.get("/metrics").text
        (tmp_path / "names").write_text("a c")
        model.reload()
        assert model.predict(a="x", c="y")["predictions"] == {"a": "x", "c": "y"}


def test_big_numbers(asking: Client) -> None:
    """Integers of any size are sent unchanged."""
    predicted = asking["echoing"].predict(table={"a": 2**70}, data=("a", b""))["predictions"]
    assert predicted == f'{{"table":{{"a":{2**70}}},"file":"a"}}'


def test_structures(asking: Client) -> None:
    """Errors inside a structure are reported by their place."""
    with pytest.raises(InvalidArguments) as caught:
        asking["all_fields"].predict(nested={})
    assert caught.value.messages == {"nested": {"deep": ["Missing data for required field."]}}


def test_no_arguments(asking: Client) -> None:
    with pytest.raises(InvalidArguments, match="The function takes none"):
        asking["only_predict"].predict(x=1)
    asking["only_predict"].predict()
