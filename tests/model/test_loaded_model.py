"""Forms of a model: module, class, object; functions that are missing or set at run time."""

from typing import Any

import httpx
import pytest

from support.server import predict, predicted

SERVED = [
    "a_class",
    "abstract_class",
    "an_object",
    "as_module",
    "attribute_error",
    "counts",
    "decorated",
    "nothing",
    "only_predict",
    "only_train",
    "signature",
]


@pytest.mark.parametrize(
    ("model", "answer"),
    [("as_module", "module x"), ("a_class", "class x"), ("an_object", "object x")],
)
def test_module_class_and_object(client: httpx.Client, model: str, answer: str) -> None:
    response = predict(client, model, params={"data": "x"})
    assert response.json() == {"status": "OK", "predictions": answer}


@pytest.mark.parametrize(
    ("model", "method", "function"),
    [
        ("nothing", "POST", "predict"),
        ("nothing", "POST", "train"),
        ("only_predict", "POST", "train"),
        ("only_train", "POST", "predict"),
        ("abstract_class", "POST", "predict"),
    ],
)
def test_missing_function(client: httpx.Client, model: str, method: str, function: str) -> None:
    """The route of a missing function returns 501 for any request."""
    for request in ({}, {"json": {"a": 1}}, {"files": {"file": b"content"}}):
        response = client.request(method, f"/v2/models/{model}/{function}/", **request)
        assert response.status_code == 501, response.text
        assert function in response.json()["message"] or model == "abstract_class"


def test_inherited_train(client: httpx.Client) -> None:
    """The inherited train returns 501, or its training ends with an error."""
    response = client.post("/v2/models/abstract_class/train/")
    assert response.status_code in (200, 501)


def test_only_predict(client: httpx.Client) -> None:
    """A model without get_predict_args has no arguments, and unknown names are ignored."""
    assert predicted(client, "only_predict", params={"a": 1}, json={"b": 2}) == {}


def test_attribute_error_in_predict(client: httpx.Client) -> None:
    """An AttributeError inside predict does not mean that predict is missing."""
    response = predict(client, "attribute_error")
    assert response.status_code == 500
    assert response.json() == {"message": "AttributeError: 'NoneType' object has no attribute 'predict'"}


def test_functions_put_in_by_a_decorator(client: httpx.Client) -> None:
    """Functions set by a decorator, lambdas and partials work like those with a def."""
    assert predicted(client, "decorated", params={"a": 1, "b": 2}) == 3
    assert client.get("/v2/models/decorated/").json()["name"] == "lambda"


def test_globals_live_as_long_as_the_worker(client: httpx.Client) -> None:
    first, second = (predicted(client, "counts") for _ in range(2))
    assert second == {"pid": first["pid"], "calls": first["calls"] + 1}


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ({"model_name": "a"}, {"model_name": "a", "accept": "application/json", "options": {}}),
        ({"model_name": "a", "more": 3}, {"options": {"more": 3}}),
        ({"model_name": "a", "accept": "application/json"}, {"accept": "application/json"}),
    ],
)
def test_plain_signature(client: httpx.Client, sent: dict[str, Any], answer: dict[str, Any]) -> None:
    """An argument that was not sent and has no default is absent; accept is always present."""
    found = predicted(client, "signature", params=sent)
    assert found | answer == found
