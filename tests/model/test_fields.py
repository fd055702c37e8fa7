"""Fields in every spelling, and the conversion of values sent for them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.model_client import model_client
from support.server import predict, predicted

RANGE = {"count": ["Must be greater than or equal to 1 and less than or equal to 9."]}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """Return a client; the working folder contains a folder `scratch`."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path)
    with model_client() as client:
        yield client


@pytest.mark.parametrize("model", ["old_fields", "new_fields"])
class TestSpellings:
    """Deprecated keyword arguments and today's metadata mean the same."""

    def test_defaults(self, client: httpx.Client, model: str) -> None:
        assert predicted(client, model) == {"count": 3, "colour": "red", "picture": None}

    def test_values(self, client: httpx.Client, model: str) -> None:
        """Values are converted; headers and files are read from the field's location."""
        found = predicted(
            client,
            model,
            params={"count": "5"},
            headers={"token": "secret"},
            files={"picture": ("a.png", b"content")},
        )
        assert found == {"count": 5, "colour": "red", "token": "secret", "picture": "content"}

    def test_enum_is_not_enforced(self, client: httpx.Client, model: str) -> None:
        """The enum in a field's metadata only documents choices."""
        assert predicted(client, model, params={"colour": "blue"})["colour"] == "blue"

    def test_validators(self, client: httpx.Client, model: str) -> None:
        """A value out of range is a 422 with marshmallow's message."""
        response = predict(client, model, params={"count": "10"})
        assert (response.status_code, response.json()) == (422, RANGE)

    def test_default_of_a_file(self, client: httpx.Client, model: str) -> None:
        """Text instead of a file is a 422 that explains how to send a file."""
        response = predict(client, model, data={"picture": "text"})
        assert response.status_code == 422
        assert list(response.json()) == ["picture"]
        assert "Not a file" in response.json()["picture"][0]


def test_bound_fields(client: httpx.Client) -> None:
    """The bound fields of a schema work like a dictionary of fields."""
    assert predicted(client, "bound_fields", params={"first": "1"}) == {"first": "1", "second": "two"}
    found = predicted(client, "bound_fields", params={"first": 1, "zweitens": 2}, files={"picture": b"x"})
    assert found["second"] == "2"
    assert found["picture"].startswith("UploadedFile(name='picture'")
    assert predict(client, "bound_fields").json() == {"first": ["Missing data for required field."]}


def test_data_key(client: httpx.Client) -> None:
    """Requests and errors use the data_key; the function receives the attribute's name."""
    found = predicted(client, "data_keys", params={"image-size": 3}, files={"the-image": b"x"})
    assert found["size"] == "3"
    assert found["image"].startswith("UploadedFile(name='the-image'")
    assert predict(client, "data_keys", params={"size": 3}).json() == {
        "image-size": ["Missing data for required field."]
    }
    assert predict(client, "data_keys", params={"image-size": "x"}).json() == {
        "image-size": ["Not a valid integer."]
    }


NAMES = [
    "demo-image",
    "bbox(N,W,S,E)",
    "a.dot",
    "a.",
    "self",
    "class",
    "two words",
    "größe",
    "from_attributes",
]


@pytest.mark.parametrize("where", ["params", "data", "json", "files"])
@pytest.mark.parametrize("name", NAMES)
def test_odd_names(client: httpx.Client, name: str, where: str) -> None:
    """Any text can be an argument's name, in every part of a request."""
    sent: dict[str, Any] = {name: "x", "required.dot": 1}
    if where == "files":
        sent = {name: (None, "x"), "required.dot": (None, "1")}
    assert predicted(client, "odd_names", **{where: sent}) == {name: "x", "required.dot": 1}


def test_problems_of_odd_names(client: httpx.Client) -> None:
    """The error of an argument with a dot is not nested."""
    response = predict(client, "odd_names")
    assert (response.status_code, response.json()) == (
        422,
        {"required.dot": ["Missing data for required field."]},
    )


UUID = "12345678-1234-5678-1234-567812345678"
VALUES = [
    ("str", "x", ["str", "x"]),
    ("int", "5", ["int", 5]),
    ("float", "0.5", ["float", 0.5]),
    ("bool", "True", ["bool", True]),
    ("bool", "false", ["bool", False]),
    ("url", "https://example.org/a", ["str", "https://example.org/a"]),
    ("list", ["1", "2"], ["list", [1, 2]]),
    ("list", ["1"], ["list", [1]]),
    ("raw", "x", ["str", "x"]),
    ("field", "x", ["str", "x"]),
    ("datetime", "2020-01-02T03:04:05", ["datetime", "2020-01-02T03:04:05"]),
    ("date", "2020-01-02", ["date", "2020-01-02"]),
    ("uuid", UUID, ["UUID", UUID]),
    ("delimited", "1,2", ["list", [1, 2]]),
    ("dict", '{"a": [1]}', ["dict", {"a": [1]}]),
    ("nested", '{"deep": 1}', ["dict", {"deep": 1}]),
    ("list", "[1, 2]", ["list", [1, 2]]),
]


@pytest.mark.parametrize("where", ["params", "data"])
@pytest.mark.parametrize(("name", "sent", "received"), VALUES)
def test_texts(client: httpx.Client, where: str, name: str, sent: object, received: list[Any]) -> None:
    """Texts of a query or a form are converted by the field."""
    assert predicted(client, "all_fields", **{where: {name: sent}}) == {name: received}


JSON_VALUES = [
    *(row for row in VALUES if row[0] not in ("delimited", "dict", "nested") and row[1] != "[1, 2]"),
    ("dict", {"a": [1]}, ["dict", {"a": [1]}]),
    ("nested", {"deep": 1}, ["dict", {"deep": 1}]),
    ("list", [1, 2], ["list", [1, 2]]),
    ("list", [], ["list", []]),
    ("raw", {"any": [None]}, ["dict", {"any": [None]}]),
    ("field", 1.5, ["float", 1.5]),
    ("raw", -(10**30), ["int", -(10**30)]),
    ("bool", True, ["bool", True]),
    ("delimited", "1,2", ["list", [1, 2]]),
]


@pytest.mark.parametrize(("name", "sent", "received"), JSON_VALUES)
def test_json_values(client: httpx.Client, name: str, sent: object, received: list[Any]) -> None:
    """Values of a JSON body are converted by the field."""
    assert predicted(client, "all_fields", json={name: sent}) == {name: received}


WRONG = [
    ("int", "x", {"int": ["Not a valid integer."]}),
    ("float", "x", {"float": ["Not a valid number."]}),
    ("bool", "perhaps", {"bool": ["Not a valid boolean."]}),
    ("url", "x", {"url": ["Not a valid URL."]}),
    ("datetime", "x", {"datetime": ["Not a valid datetime."]}),
    ("uuid", "x", {"uuid": ["Not a valid UUID."]}),
    ("list", ["1", "x"], {"list": {"1": ["Not a valid integer."]}}),
    ("nested", {"deep": "x"}, {"nested": {"deep": ["Not a valid integer."]}}),
    ("nested", {}, {"nested": {"deep": ["Missing data for required field."]}}),
    ("dict", "x", {"dict": ["Not a valid mapping type."]}),
]


@pytest.mark.parametrize("sent", ["[" * 5000, '{"a": NaN}', '{"a": 1e400}', '{"a": ' + "1" * 5000 + "}"])
def test_texts_that_are_no_json(client: httpx.Client, sent: str) -> None:
    """Invalid or unreadable JSON for a structured field is a 422."""
    response = predict(client, "all_fields", data={"dict": sent})
    assert (response.status_code, response.json()) == (422, {"dict": ["Not a valid mapping type."]})


def test_deep_values(client: httpx.Client) -> None:
    """Arguments nested too deeply to encode are the client's error."""
    body = b'{"raw": ' + b"[" * 900 + b"]" * 900 + b"}"
    response = predict(client, "all_fields", content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()) == (
        400,
        {"message": "The arguments are nested too deeply."},
    )


@pytest.mark.parametrize(("name", "sent", "problems"), WRONG)
def test_wrong_values(client: httpx.Client, name: str, sent: object, problems: dict[str, Any]) -> None:
    """A 422 has marshmallow's messages by argument and position, and nothing else."""
    response = predict(client, "all_fields", json={name: sent})
    assert (response.status_code, response.json()) == (422, problems)
    assert response.headers["content-type"].startswith("application/json")


def test_own_fields(client: httpx.Client) -> None:
    """Field classes may override (_)deserialize, and set metadata before the constructor."""
    found = predicted(client, "own_fields", params={"reversed": "abc", "everything": "x", "documented": "y"})
    assert found == {"reversed": "cba", "everything": "everything x", "documented": "y"}
    assert predicted(client, "own_fields") == {"everything": "nothing"}


def test_validating_on_disk(client: httpx.Client) -> None:
    """A field's _validate may read files."""
    assert predicted(client, "own_fields", params={"checked": "scratch"})["checked"] == "scratch"
    response = predict(client, "own_fields", params={"checked": "nothing"})
    assert (response.status_code, response.json()) == (422, {"checked": ["There is no nothing."]})


BETWEEN = "Must be greater than or equal to 1 and less than or equal to 3."


@pytest.mark.parametrize(
    ("name", "sent", "problems"),
    [
        ("alone", "4", [BETWEEN]),
        ("listed", "4", [BETWEEN]),
        ("listed", "2", ["Invalid input."]),
        ("function", "3", ["Invalid value."]),
        ("of_list", "c", ["Must be one of: a, b."]),
        ("of_tuple", "c", ["Must be one of: a, b."]),
        ("of_dict", "c", ["Must be one of: a, b."]),
    ],
)
def test_validators(client: httpx.Client, name: str, sent: str, problems: list[str]) -> None:
    """Single validators and lists of them run, and the messages are marshmallow's."""
    response = predict(client, "validators", params={"needed": "x", name: sent})
    assert (response.status_code, response.json()) == (422, {name: problems})


def test_what_validators_let_pass(client: httpx.Client) -> None:
    """Valid values reach the function; all errors are reported together."""
    sent = {
        "alone": 1,
        "listed": 3,
        "function": 2,
        "of_list": "a",
        "of_tuple": "b",
        "of_dict": "a",
        "needed": "",
    }
    assert predicted(client, "validators", json=sent) == sent
    response = predict(client, "validators", json={"alone": 4, "of_list": "x"})
    assert sorted(response.json()) == ["alone", "needed", "of_list"]
