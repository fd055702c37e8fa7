"""Return values of `predict`, as clients receive them."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from support.server import Server, predict, predicted

SERVED = ["only_predict", "returns_json", "schema_class", "schema_dict"]

VALUES: dict[str, Any] = {
    "none": None,
    "nested": {"a": [1, 2.5, True, None, {"b": "ü"}]},
    "float32": 0.5,
    "int64": 7,
    "bool_": True,
    "array": [[0, 1, 2], [3, 4, 5]],
    "fortran": [[0, 1, 2], [3, 4, 5]],
    "sliced": [0, 2, 4, 6, 8],
    "float16": [1.0, 1.0],
    "texts": ["a", "b"],
    "objects": [{"a": 1}, None],
    "array0": 5,
    "numpy_in_dict": {"scores": [0.5, 1.0], "3": 4},
    "frame": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
    "series": [1, 2],
    "index": ["a", "b"],
    "path": "/a/b",
    "date": "2020-01-02",
    "datetime": "2020-01-02T03:04:05",
    "time": "03:04:00",
    "timedelta": "0:01:01",
    "uuid": "00000000-0000-0000-0000-000000000005",
    "decimal": "1.50",
    "set": [1],
    "tuple": [1, [2]],
    "bytes": "text in bytes",
    "dataclass": {"x": 1, "y": [2]},
    "enum": "red",
    "ordered": {"b": 1, "a": 2},
    "default": {"a": [1]},
    "deque": [1, 2],
    "big": 2**70,
    "int_keys": {"1": "a", "(1, 2)": "b"},
    "timestamp": "2020-01-02T03:04:05",
}
LARGE = ["0123456789"] * 200_000


@pytest.mark.every_engine
@pytest.mark.parametrize("what", VALUES)
def test_values(client: httpx.Client, what: str) -> None:
    """JSON values, NumPy, pandas, dates and paths are converted to JSON text."""
    assert predicted(client, "returns_json", params={"what": what}) == VALUES[what]


def test_datetime64(client: httpx.Client) -> None:
    """NumPy dates become ISO 8601 dates."""
    assert predicted(client, "returns_json", params={"what": "datetime64"}).startswith("2020-01-02")


@pytest.mark.parametrize(("what", "text"), [("text", 'a text, not "quoted"'), ("str_", "numpy")])
def test_texts_stay_themselves(client: httpx.Client, what: str, text: str) -> None:
    """A string is not encoded as JSON again."""
    response = predict(client, "returns_json", params={"what": what})
    assert response.json() == {"status": "OK", "predictions": text}


@pytest.mark.every_engine
def test_surrogate(client: httpx.Client) -> None:
    """The response to invalid Unicode is valid JSON, whether a prediction or an error."""
    response = predict(client, "returns_json", params={"what": "surrogate"})
    assert response.json()


@pytest.mark.every_engine
@pytest.mark.parametrize(
    ("what", "where"),
    [
        ("nan", "the result['scores'][1] is NaN"),
        ("infinity", "the result is infinite"),
        ("numpy_nan", "the result['scores'][1] is NaN"),
        ("frame_nan", "the result[1]['a'] is NaN"),
        ("lock", "the result['lock'] cannot be expressed in JSON"),
        ("no_text", "the result cannot be expressed in JSON"),
        ("loop", "nested too deeply"),
    ],
)
def test_inexpressible(client: httpx.Client, what: str, where: str) -> None:
    """The response is a 500 that names the position of the value."""
    response = predict(client, "returns_json", params={"what": what})
    assert response.status_code == 500
    assert where in response.json()["message"]


@pytest.mark.every_engine
def test_large_json(client: httpx.Client) -> None:
    """A response of more than 1 MiB arrives completely."""
    assert predicted(client, "returns_json", params={"what": "large"}) == LARGE


@pytest.mark.every_engine
def test_schema(client: httpx.Client) -> None:
    """A prediction that matches the schema is returned without an envelope."""
    assert predict(client, "schema_dict").json() == {"labels": ["a"], "scores": [0.5]}
    assert predict(client, "schema_class").json() == {
        "when": "2020-01-02T03:04:05",
        "points": [{"x": 1}],
    }


@pytest.mark.every_engine
@pytest.mark.parametrize(
    ("model", "sent", "names"),
    [
        ("schema_dict", {"fits": False}, ["labels", "scores", "extra"]),
        ("schema_class", {"x": "one"}, ["points", "x", "Not a valid integer."]),
    ],
)
def test_unfit(client: httpx.Client, model: str, sent: dict[str, Any], names: list[str]) -> None:
    """The response is a 500 that names the fields."""
    response = predict(client, model, json=sent)
    assert response.status_code == 500
    for name in names:
        assert name in response.json()["message"]


def test_predictions_json(start: Callable[..., Server]) -> None:
    """The envelope has the JSON value, as in 2.6, and the OpenAPI document describes it."""
    models = ["returns_json", "only_predict", "schema_dict"]
    server = start("--predictions", "json", models={name: f"models.{name}" for name in models})
    with server.client() as client:
        for what in ("nested", "array", "float32", "none"):
            found = predict(client, "returns_json", params={"what": what}).json()
            assert found == {"status": "OK", "predictions": VALUES[what]}
        text = predict(client, "returns_json", params={"what": "text"}).json()
        assert text["predictions"] == 'a text, not "quoted"'
        assert predict(client, "only_predict").json() == {"status": "OK", "predictions": {}}
        assert predict(client, "schema_dict").json() == {"labels": ["a"], "scores": [0.5]}
        schemas = client.get("/openapi.json").json()["components"]["schemas"]
        published = schemas["ModelPredictionResponse-only_predict"]["properties"]
        assert (list(published), "type" in published["predictions"]) == (["status", "predictions"], False)


def test_no_definition_without_a_schema(client: httpx.Client) -> None:
    """As in 2.6: without a definition, deepaas_ui shows the response as JSON."""
    document = client.get("/swagger.json").json()
    assert "ModelPredictionResponse-schema_dict" in document["definitions"]
    assert "ModelPredictionResponse-only_predict" not in document["definitions"]
    answer = document["paths"]["/v2/models/only_predict/predict/"]["post"]["responses"]["200"]
    assert answer["schema"]["properties"]["predictions"]["type"] == "string"
