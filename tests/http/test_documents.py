"""The API described for machines: the Swagger 2.0 that clients build forms from, and OpenAPI 3.1."""

from collections.abc import Callable
from typing import Any

import httpx
import openapi_spec_validator
import pytest

from serving import Server

Documents = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def swagger(client: httpx.Client) -> dict[str, Any]:
    """Return the Swagger 2.0 document."""
    return dict(client.get("/swagger.json").json())


def parameters(swagger: dict[str, Any], model: str) -> dict[str, dict[str, Any]]:
    """Return a prediction's parameters by name."""
    found = swagger["paths"][f"/v2/models/{model}/predict/"]["post"]["parameters"]
    return {parameter["name"]: parameter for parameter in found}


@pytest.mark.parametrize("path", ["/swagger.json", "/openapi.json"])
def test_valid(client: httpx.Client, path: str) -> None:
    """Both documents fit the schema of their specification."""
    openapi_spec_validator.validate(client.get(path).json())


@pytest.mark.parametrize(
    ("path", "key", "version"), [("/swagger.json", "swagger", "2.0"), ("/openapi.json", "openapi", "3.1")]
)
def test_versions(client: httpx.Client, path: str, key: str, version: str) -> None:
    """Each document says of which version it is, and describes every route of every model."""
    document = client.get(path).json()
    assert document[key].startswith(version)
    for model in ("as_module", "nothing", "all_fields"):
        for below, methods in (
            ("", {"get"}),
            ("predict/", {"post"}),
            ("train/", {"get", "post"}),
            ("train/{uuid}", {"get", "delete"}),
        ):
            assert methods <= set(document["paths"][f"/v2/models/{model}/{below}"])


@pytest.mark.parametrize("model", ["old_fields", "new_fields"])
def test_parameters(swagger: dict[str, Any], model: str) -> None:
    """Parameters have what forms are built from, in both spellings of fields."""
    found = parameters(swagger, model)
    assert (
        found["count"].items()
        >= {
            "in": "query",
            "type": "integer",
            "default": 3,
            "minimum": 1,
            "maximum": 9,
            "required": False,
            "description": "How many.",
        }.items()
    )
    assert found["colour"]["enum"] == ["red", "green"]
    assert found["colour"]["default"] == "red"
    assert found["picture"].items() >= {"in": "formData", "type": "file", "description": "A picture."}.items()
    assert found["token"]["in"] == "header"
    assert "multipart/form-data" in swagger["paths"][f"/v2/models/{model}/predict/"]["post"]["consumes"]


TYPES = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "url": {"type": "string", "format": "url"},
    "list": {"type": "array", "items": {"type": "integer"}},
    "datetime": {"type": "string", "format": "date-time"},
    "uuid": {"type": "string", "format": "uuid"},
    "dict": {"type": "string"},
    "nested": {"type": "string"},
}


@pytest.mark.parametrize("name", TYPES)
def test_types(swagger: dict[str, Any], name: str) -> None:
    """Every field has a type that Swagger 2.0 allows outside of a body."""
    found = parameters(swagger, "all_fields")[name]
    assert found.items() >= TYPES[name].items()


@pytest.mark.parametrize("name", ["of_list", "of_tuple", "of_dict"])
def test_choices(swagger: dict[str, Any], name: str) -> None:
    """The choices of OneOf are an enum."""
    assert parameters(swagger, "validators")[name]["enum"] == ["a", "b"]
    assert parameters(swagger, "validators")["needed"]["required"] is True


def test_names(swagger: dict[str, Any]) -> None:
    """Parameters are called what requests call them."""
    assert "image-size" in parameters(swagger, "data_keys")
    assert {"a.dot", "bbox(N,W,S,E)"} <= set(parameters(swagger, "odd_names"))


def test_several_files(swagger: dict[str, Any]) -> None:
    """A list of files is shown as a file to upload."""
    assert parameters(swagger, "uploads")["many"]["type"] == "file"


@pytest.mark.parametrize(
    ("model", "produces"),
    [
        ("negotiated", ["application/json", "image/png", "text/plain", "*/*"]),
        ("only_predict", ["application/json"]),
    ],
)
def test_produces(swagger: dict[str, Any], model: str, produces: list[str]) -> None:
    """The choices of accept are what a prediction produces, followed by anything."""
    assert swagger["paths"][f"/v2/models/{model}/predict/"]["post"]["produces"] == produces


def test_own_documentation(swagger: dict[str, Any]) -> None:
    """Metadata that a field of the author's sets before marshmallow's constructor does no harm."""
    assert parameters(swagger, "own_fields")["documented"]["type"] == "string"


def response_of(server: Server) -> dict[str, Any]:
    """Return the published form of the only model's predictions."""
    with server.client() as client:
        return dict(client.get("/swagger.json").json()["definitions"]["ModelPredictionResponse"])


@pytest.mark.parametrize(
    ("model", "properties"),
    [
        ("schema_dict", {"labels": "array", "scores": "array", "picture": "string"}),
        ("schema_class", {"when": "string", "points": "array"}),
        ("only_predict", {"status": "string", "predictions": "string"}),
    ],
)
def test_response(start: Callable[..., Server], model: str, properties: dict[str, str]) -> None:
    """The form of a prediction is published as ModelPredictionResponse."""
    found = response_of(start(models={model: f"models.{model}"}))
    assert {name: one["type"] for name, one in found["properties"].items()} == properties
    if model == "schema_dict":
        assert found["properties"]["picture"]["description"] == "The image, base64."
        assert sorted(found["required"]) == ["labels", "scores"]


def test_openapi_body(client: httpx.Client) -> None:
    """In OpenAPI 3.1, files are parts of a multipart body and the rest are parameters with a schema."""
    post = client.get("/openapi.json").json()["paths"]["/v2/models/new_fields/predict/"]["post"]
    part = post["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]["picture"]
    assert (part["type"], part["format"]) == ("string", "binary")
    (count,) = (parameter for parameter in post["parameters"] if parameter["name"] == "count")
    assert count["schema"].items() >= {"type": "integer", "default": 3, "minimum": 1, "maximum": 9}.items()
