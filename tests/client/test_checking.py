"""The client validates arguments against the OpenAPI document before it sends them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deepaas.client import Client, InvalidArguments, ModelNotFound
from support.server import Server, serving

SERVED = ["all_fields", "echoing", "only_predict"]

MODEL = """
from pathlib import Path
from marshmallow import fields, validate

def get_predict_args():
    names = Path("names").read_text().split()
    return {"name": fields.Str(validate=validate.OneOf(names), required=True)}

def predict(name):
    return name
"""


@pytest.fixture(scope="module")
def asking(server: Server) -> Iterator[Client]:
    """Return a client of the server with all small models."""
    with Client(server.url) as client:
        yield client


@pytest.mark.parametrize(
    ("given", "messages"),
    [
        ({"number": -1}, {"number": ["-1 is less than the minimum of 0.0"]}),
        ({"number": "x"}, {"number": ["'x' is not of type 'number'"]}),
        ({"text": "x" * 30}, {"text": [f"'{'x' * 30}' is too long"]}),
        ({"numbers": [1, "x"]}, {"numbers": ["[1]: 'x' is not of type 'integer'"]}),
        ({"table": [1], "flag": 2}, {"table": ["[1] is not of type 'object'"], "flag": None}),
        ({"accept": "a/b", "delimited": ["x"]}, {"accept": None, "delimited": None}),
        ({"X-Word": 5}, {"X-Word": ["5 is not of type 'string'"]}),
        ({"numbr": 1}, {"numbr": None}),
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


def test_long_values(asking: Client) -> None:
    """Long values are shortened in messages; very long ones are validated by the server only."""
    with pytest.raises(InvalidArguments) as caught:
        asking["echoing"].predict(numbers=["x" * 1000])
    assert len(str(caught.value)) < 300
    with pytest.raises(InvalidArguments) as caught:
        asking["echoing"].predict(numbers=["x"] * 50_000)
    assert caught.value.messages["numbers"]["0"] == ["Not a valid integer."]


def test_without_checking(server: Server) -> None:
    """With `validate=False` only the server validates; its errors are the same class."""
    with Client(server.url, validate=False) as client:
        assert client["echoing"].predict(number="3", nothing=1)["predictions"] == '{"number":3.0}'
        with pytest.raises(InvalidArguments) as caught:
            client["echoing"].predict(number="x", text="x" * 30)
        assert caught.value.messages == {
            "number": ["Not a valid number."],
            "text": ["Longer than maximum length 20."],
        }


def test_nothing_is_sent(tmp_path: Path) -> None:
    """Invalid arguments are not sent; changed declarations are fetched again."""
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "names").write_text("a b")
    with serving(tmp_path, "--model", "./model.py", models={}) as server, Client(server.url) as client:
        model = client["model"]
        with pytest.raises(InvalidArguments, match=r"'c' is not one of \['a', 'b'\]"):
            model.predict(name="c")
        with server.client() as http:
            assert 'method="POST"' not in http.get("/metrics").text
        (tmp_path / "names").write_text("a b c")
        model.reload()
        assert model.predict(name="c")["predictions"] == "c"


def test_big_numbers(asking: Client) -> None:
    """Integers of any size are sent unchanged."""
    predicted = asking["echoing"].predict(table={"a": 2**70}, data=("a", b""))["predictions"]
    assert predicted == f'{{"table":{{"a":{2**70}}},"file":"a"}}'


def test_structures(asking: Client) -> None:
    """References in the schemas are resolved."""
    with pytest.raises(InvalidArguments, match="'deep' is a required property"):
        asking["all_fields"].predict(nested={})


def test_no_arguments(asking: Client) -> None:
    with pytest.raises(InvalidArguments, match="The function takes none"):
        asking["only_predict"].predict(x=1)
    asking["only_predict"].predict()
