"""The forms a model can have: module, class, object, and functions that are missing or put in later."""

from typing import Any

import httpx
import pytest

from serving import predict, predicted

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
    """A module and an object are used as they are; a class is instantiated without arguments."""
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
    """The route of a function that the model lacks answers 501, whatever is sent."""
    for request in ({}, {"json": {"a": 1}}, {"files": {"file": b"content"}}):
        response = client.request(method, f"/v2/models/{model}/{function}/", **request)
        assert response.status_code == 501, response.text
        assert function in response.json()["message"] or model == "abstract_class"


def test_inherited_train(client: httpx.Client) -> None:
    """A training of a function that says it is not implemented answers 501, or ends in an error saying so."""
    response = client.post("/v2/models/abstract_class/train/")
    assert response.status_code in (200, 501)


def test_only_predict(client: httpx.Client) -> None:
    """A model without get_predict_args has no arguments, and unknown names are ignored."""
    assert predicted(client, "only_predict", params={"a": 1}, json={"b": 2}) == {}


def test_attribute_error_in_predict(client: httpx.Client) -> None:
    """An AttributeError inside an author's function is that function's error, not a missing function."""
    response = predict(client, "attribute_error")
    assert response.status_code == 500
    assert response.json() == {"message": "AttributeError: 'NoneType' object has no attribute 'predict'"}


def test_functions_put_in_by_a_decorator(client: httpx.Client) -> None:
    """Functions set by a decorator, lambdas and partials are as good as those with a def."""
    assert predicted(client, "decorated", params={"a": 1, "b": 2}) == 3
    assert client.get("/v2/models/decorated/").json()["name"] == "lambda"


def test_globals_live_as_long_as_the_worker(client: httpx.Client) -> None:
    """A worker keeps a module's globals between calls."""
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
    """An argument that was not sent and has no default is absent from the call; accept is always there."""
    found = predicted(client, "signature", params=sent)
    assert found | answer == found
