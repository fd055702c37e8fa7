"""API documents: Swagger 2.0, from which clients generate forms, and OpenAPI 3.1."""

import datetime as dt
import decimal
import enum
import json
import logging
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import marshmallow
import openapi_spec_validator
import pytest
from marshmallow import fields, validate
from marshmallow.fields import Field

from deepaas.config.settings import Settings
from deepaas.describer.description import ModelDescription
from deepaas.describer.introspection import describe_model
from deepaas.http import openapi
from deepaas.http.openapi import SpecOptions
from deepaas.http.routes import iterate_routes
from deepaas.messages import Envelope
from deepaas.model.model import LoadedModel
from support.models import HEALTHY
from support.server import Server

SERVED = [
    "all_fields",
    "as_class",
    "as_module",
    "data_keys",
    "negotiated",
    "new_fields",
    "nothing",
    "odd_names",
    "old_fields",
    "only_predict",
    "own_fields",
    "schema_class",
    "schema_dict",
    "uploads",
    "validators",
]

Documents = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def swagger(client: httpx.Client) -> dict[str, Any]:
    return dict(client.get("/swagger.json").json())


def parameters(swagger: dict[str, Any], model: str) -> dict[str, dict[str, Any]]:
    found = swagger["paths"][f"/v2/models/{model}/predict/"]["post"]["parameters"]
    return {parameter["name"]: parameter for parameter in found}


@pytest.mark.parametrize("path", ["/swagger.json", "/openapi.json"])
def test_valid(client: httpx.Client, path: str) -> None:
    openapi_spec_validator.validate(client.get(path).json())


@pytest.mark.filterwarnings(
    "ignore:.*:DeprecationWarning"
)  # some models use fields in an older marshmallow style
@pytest.mark.parametrize("make", [openapi.build_swagger, openapi.build_openapi])
def test_valid_for_every_model(make: Callable[[list[ModelDescription], SpecOptions], dict[str, Any]]) -> None:
    models = [describe_model(LoadedModel.load(name, target)) for name, target in HEALTHY.items()]
    openapi_spec_validator.validate(json.loads(json.dumps(make(models, SPELLED))))


@pytest.mark.parametrize(
    ("path", "key", "version"), [("/swagger.json", "swagger", "2.0"), ("/openapi.json", "openapi", "3.1")]
)
def test_versions(client: httpx.Client, path: str, key: str, version: str) -> None:
    """Each document has its version and the routes of every model."""
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
    """Parameters have the keys from which forms are built, for old and new marshmallow fields."""
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
    found = parameters(swagger, "all_fields")[name]
    assert found.items() >= TYPES[name].items()


@pytest.mark.parametrize("name", ["of_list", "of_tuple", "of_dict"])
def test_choices(swagger: dict[str, Any], name: str) -> None:
    """`OneOf` is published as `enum`."""
    assert parameters(swagger, "validators")[name]["enum"] == ["a", "b"]
    assert parameters(swagger, "validators")["needed"]["required"] is True


def test_unavailable(client: httpx.Client) -> None:
    """Only operations without a function of the model have `x-unavailable`."""
    paths = client.get("/openapi.json").json()["paths"]
    said = {
        verb: paths[f"/v2/models/only_predict/{verb}/"]["post"].get("x-unavailable")
        for verb in ("predict", "train")
    }
    assert said == {"predict": None, "train": "The model 'only_predict' has no function 'train'."}


def test_names(swagger: dict[str, Any]) -> None:
    """Parameters have the names that requests use."""
    assert "image-size" in parameters(swagger, "data_keys")
    assert {"a.dot", "bbox(N,W,S,E)"} <= set(parameters(swagger, "odd_names"))


def test_several_files(swagger: dict[str, Any]) -> None:
    assert parameters(swagger, "uploads")["many"]["type"] == "file"


@pytest.mark.parametrize(
    ("model", "produces"),
    [
        ("negotiated", ["application/json", "image/png", "text/plain", "*/*"]),
        ("only_predict", ["application/json"]),
    ],
)
def test_produces(swagger: dict[str, Any], model: str, produces: list[str]) -> None:
    """`produces` lists the choices of `accept`, then `*/*`."""
    assert swagger["paths"][f"/v2/models/{model}/predict/"]["post"]["produces"] == produces


def test_own_documentation(swagger: dict[str, Any]) -> None:
    """Custom fields may set metadata before they call marshmallow's constructor."""
    assert parameters(swagger, "own_fields")["documented"]["type"] == "string"


def get_prediction_schema(server: Server) -> dict[str, Any]:
    """Return the published schema of the only model's predictions."""
    with server.client() as client:
        schemas = client.get("/openapi.json").json()["components"]["schemas"]
        return dict(schemas["ModelPredictionResponse"])


@pytest.mark.parametrize(
    ("model", "properties"),
    [
        ("schema_dict", {"labels": "array", "scores": "array", "picture": "string"}),
        ("schema_class", {"when": "string", "points": "array"}),
        ("only_predict", {"status": "string", "predictions": "string"}),
    ],
)
def test_response(start: Callable[..., Server], model: str, properties: dict[str, str]) -> None:
    """The schema of predictions is published as ModelPredictionResponse."""
    found = get_prediction_schema(start(models={model: f"models.{model}"}))
    assert {name: one["type"] for name, one in found["properties"].items()} == properties
    if model == "schema_dict":
        assert found["properties"]["picture"]["description"] == "The image, base64."
        assert sorted(found["required"]) == ["labels", "scores"]


def test_openapi_body(client: httpx.Client) -> None:
    """Files are parts of a multipart body; other arguments are parameters with a schema."""
    post = client.get("/openapi.json").json()["paths"]["/v2/models/new_fields/predict/"]["post"]
    part = post["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]["picture"]
    assert (part["type"], part["format"]) == ("string", "binary")
    (count,) = (parameter for parameter in post["parameters"] if parameter["name"] == "count")
    assert count["schema"].items() >= {"type": "integer", "default": 3, "minimum": 1, "maximum": 9}.items()


UNPUBLISHED = {"/swagger.json", "/openapi.json", "/api", "/ui", "/v2/models/{model}/ui", "/static/{path:.+}"}


@pytest.mark.parametrize("document", ["/swagger.json", "/openapi.json"])
def test_routes(client: httpx.Client, document: str) -> None:
    """The documents have exactly the routes of the server, except pages and documents."""
    paths = client.get(document).json()["paths"]
    published = {
        (method.upper(), path.rstrip("/")) for path in paths if "as_class" in path for method in paths[path]
    }
    general = {
        (method.upper(), path.rstrip("/"))
        for path in paths
        if "/models/" not in path
        for method in paths[path]
    }
    expected = {
        (route.method, route.path.replace("{model}", "as_class").replace(":.+", ""))
        for route in iterate_routes(Settings())
        if route.path not in UNPUBLISHED and route.path != "/v2/models"
    }
    assert published | general == expected


SPELLED = SpecOptions(base_path="", envelope=Envelope.STRING, auth_required=False, debug_enabled=False)


def build_document(make: Callable[..., dict[str, Any]], **declared: Field) -> dict[str, Any]:
    document = make(
        [describe_model(LoadedModel("m", SimpleNamespace(get_predict_args=lambda: declared)))], SPELLED
    )
    openapi_spec_validator.validate(document)
    return document


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Inner(marshmallow.Schema):
    deep = fields.Int(required=True)


RULES: list[tuple[Field, dict[str, Any], dict[str, Any]]] = [
    (
        fields.Float(validate=validate.Range(0, 1, min_inclusive=False)),
        {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    ),
    (
        fields.Str(validate=validate.Length(2, 4)),
        {"minLength": 2, "maxLength": 4},
        {"minLength": 2, "maxLength": 4},
    ),
    (
        fields.List(fields.Str(), validate=[validate.Length(max=2), validate.ContainsOnly(["a", "b"])]),
        {"type": "array", "maxItems": 2, "items": {"type": "string", "enum": ["a", "b"]}},
        {"type": "array", "maxItems": 2, "items": {"type": "string", "enum": ["a", "b"]}},
    ),
    (fields.Str(validate=validate.Regexp(r"\d+\Z")), {"pattern": r"^(?:\d+$)"}, {"pattern": r"^(?:\d+$)"}),
    (fields.Str(validate=validate.NoneOf(["a"])), {"type": "string"}, {"not": {"enum": ["a"]}}),
    (fields.Str(metadata={"enum": ["a"]}), {"enum": ["a"]}, {"examples": ["a"]}),
    (fields.Str(metadata={"enum": "abc"}), {"enum": ["abc"]}, {"examples": ["abc"]}),
    (fields.Int(metadata={"enum": range(2)}), {"enum": [0, 1]}, {"examples": [0, 1]}),
    (fields.Str(metadata={"enum": {"b", "a"}}), {"enum": ["a", "b"]}, {"examples": ["a", "b"]}),
    (fields.Str(metadata={"enum": Colour}), {"enum": ["red", "green"]}, {"examples": ["red", "green"]}),
    (fields.Int(metadata={"enum": [1, 1, 2]}), {"enum": [1, 2]}, {"examples": [1, 2]}),
    (
        fields.Str(validate=validate.OneOf("ab"), metadata={"enum": "a"}, allow_none=True),
        {"enum": ["a"]},
        {"enum": ["a"]},
    ),
    (fields.Time(), {"type": "string", "format": "time-local"}, {"type": "string", "format": "time-local"}),
    (fields.NaiveDateTime(), {"format": "date-time-local"}, {"format": "date-time-local"}),
    (fields.DateTime(format="timestamp"), {"type": "number", "minimum": 0}, {"type": "number", "minimum": 0}),
    (fields.DateTime(format="%Y"), {"type": "string"}, {"type": "string"}),
    (fields.Url(), {"format": "url"}, {"format": "uri"}),
    (
        fields.Int(load_default=None),
        {"type": "integer", "x-default": None, "x-nullable": True},
        {"type": ["integer", "null"], "default": None},
    ),
    (
        fields.Str(load_default=None, validate=validate.OneOf(["a"]), metadata={"enum": ["a"]}),
        {"enum": ["a"], "x-default": None},
        {"enum": ["a", None], "default": None},
    ),
    (
        fields.List(fields.Int(), load_default=None),
        {"type": "array", "x-default": None},
        {"type": ["array", "null"], "default": None},
    ),
    (fields.Dict(load_default=None), {"x-default": None}, {"type": ["object", "null"], "default": None}),
    (fields.Nested(Inner, load_default=None), {"x-default": None}, {"default": None}),
    (
        fields.Raw(load_default=None, metadata={"type": "file"}),
        {"type": "file", "x-default": None},
        {"type": "string", "format": "binary", "x-default": None},
    ),
    (fields.List(fields.List(fields.Int())), {"type": "string", "format": "json-array"}, {"type": "array"}),
    (fields.Nested(Inner), {"type": "string", "format": "json"}, {"$ref": "#/components/schemas/Inner"}),
    (
        fields.Tuple((fields.Int(), fields.Str())),
        {"type": "array", "minItems": 2},
        {"type": "array", "maxItems": 2},
    ),
    (
        fields.Dict(keys=fields.Str()),
        {"format": "json"},
        {"type": "object", "propertyNames": {"type": "string"}},
    ),
    (
        fields.Raw(),
        {"type": "string", "format": "any"},
        {"type": ["string", "number", "boolean", "array", "object"]},
    ),
]


@pytest.mark.parametrize(("field", "in_2", "in_3"), RULES)
def test_rules(field: Field, in_2: dict[str, Any], in_3: dict[str, Any]) -> None:
    """Validation rules are published in both documents, as each version allows."""
    assert build_parameter(field).items() >= in_2.items()
    assert build_schema(field).items() >= in_3.items()


def build_parameter(field: Field) -> dict[str, Any]:
    """Return the Swagger 2.0 parameter for a field."""
    post = build_document(openapi.build_swagger, x=field)["paths"]["/v2/models/m/predict/"]["post"]
    return dict(post["parameters"][0])


def build_schema(field: Field) -> dict[str, Any]:
    """Return the OpenAPI 3.1 schema for a field."""
    post = build_document(openapi.build_openapi, x=field)["paths"]["/v2/models/m/predict/"]["post"]
    body = post.get("requestBody", {"content": {"": {"schema": {"properties": {}}}}})["content"]
    found = [one["schema"] for one in post["parameters"]] + [
        one for media in body.values() for one in media["schema"]["properties"].values()
    ]
    return dict(found[0])


class Point:
    """An object that only the custom field can serialise."""

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y


class PointField(fields.Field):
    """A custom field for points written as `x,y`."""

    def _serialize(self, value: Point, *_: Any, **__: Any) -> str:
        return f"{value.x},{value.y}"


NOON = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)
SOME_UUID = uuid.UUID(int=1)


@pytest.mark.parametrize(
    ("field", "default"),
    [
        (fields.Enum(Colour, load_default=Colour.RED), "RED"),
        (fields.Enum(Colour, by_value=True, load_default=Colour.RED), "red"),
        (fields.Str(load_default=Colour.RED, validate=validate.OneOf(["red", "green"])), "red"),
        (fields.List(fields.Enum(Colour), load_default=[Colour.RED]), ["RED"]),
        (fields.DateTime(load_default=NOON), "2026-01-02T12:00:00+00:00"),
        (fields.DateTime(load_default=NOON.replace(tzinfo=None)), "2026-01-02T12:00:00"),
        (fields.Date(load_default=NOON.date()), "2026-01-02"),
        (fields.TimeDelta(load_default=dt.timedelta(minutes=1)), 60),
        (fields.Decimal(load_default=decimal.Decimal("0.5")), 0.5),
        (fields.UUID(load_default=SOME_UUID), str(SOME_UUID)),
        (fields.Str(load_default=Path("a/b")), "a/b"),
        (fields.Raw(load_default=Path("a/b")), "a/b"),
        (fields.Int(load_default="3"), 3),
        (PointField(load_default=Point(1, 2)), "1,2"),
        (PointField(metadata={"default": Point(1, 2)}), "1,2"),
        (fields.Int(metadata={"default": 4}, load_default=3), 4),
        (fields.Function(deserialize=str, load_default="x"), "x"),
    ],
)
def test_defaults_that_are_objects(field: Field, default: Any) -> None:
    assert build_schema(field)["default"] == default
    in_2 = build_parameter(field)
    assert in_2.get("default", default) == default
    assert ("default" in in_2) == (in_2.get("format") != "any")


def test_default_in_a_structure() -> None:
    """Structures publish a default, except when they are sent as JSON text."""
    structure = fields.Dict(values=fields.Date(), load_default={"when": NOON.date()})
    assert build_schema(structure)["default"] == {"when": "2026-01-02"}
    assert "default" not in build_parameter(structure)


@pytest.mark.parametrize(
    "field",
    [
        fields.Int(load_default=lambda: pytest.fail("called")),
        fields.Raw(load_default=Point(1, 2)),
        fields.Date(load_default="tomorrow"),
        fields.Float(load_default=float("nan"), allow_nan=True),
        fields.Dict(load_default=None, allow_none=False),
    ],
)
def test_default_that_is_left_out(field: Field) -> None:
    """Defaults that are callable, invalid, or not serialisable are omitted."""
    assert "default" not in build_schema(field)
    assert "default" not in build_parameter(field)


@pytest.mark.parametrize("address", ["https://example.org/a?b", "ftp://u:p@localhost:21", "http://[::1]/"])
def test_addresses(address: str) -> None:
    """The published pattern matches the URLs that the field accepts."""
    (parameter,) = build_document(openapi.build_swagger, x=fields.Url())["paths"]["/v2/models/m/predict/"][
        "post"
    ]["parameters"]
    fields.Url().deserialize(address)
    assert re.search(parameter["pattern"], address)
    assert not re.search(parameter["pattern"], f"mailto:{address}")


class Unserialisable(fields.Str):
    """A custom field that cannot serialise its default."""

    def _serialize(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("not now")


def test_default_that_cannot_be_serialised(caplog: pytest.LogCaptureFixture) -> None:
    """The field is published without its default, and the log has the reason."""
    field = Unserialisable(load_default="x", metadata={"description": "Odd."})
    with caplog.at_level(logging.WARNING):
        assert build_schema(field) == {"type": "string"}
    assert "omits the default of a Unserialisable: RuntimeError: not now" in caplog.text


def test_field_that_cannot_be_described() -> None:
    """The field is published without details."""
    document = build_document(
        openapi.build_openapi, odd=Unserialisable(validate=validate.Range("a")), even=fields.Int()
    )
    names = [one["name"] for one in document["paths"]["/v2/models/m/predict/"]["post"]["parameters"]]
    assert names == ["odd", "even"]


def test_schema_of_a_taken_name() -> None:
    """A model author's schema with the name of one of ours is renamed."""
    taken = type("Training", (marshmallow.Schema,), {"mine": fields.Int()})
    schemas = build_document(openapi.build_openapi, x=fields.Nested(taken))["components"]["schemas"]
    assert "uuid" in schemas["Training"]["properties"]
    assert "mine" in schemas["Training1"]["properties"]


def test_answers(client: httpx.Client) -> None:
    """The responses of a prediction are published by status, with schemas and headers."""
    document = client.get("/openapi.json").json()
    responses = document["paths"]["/v2/models/as_module/predict/"]["post"]["responses"]
    assert {"200", "400", "405", "406", "413", "422", "501", "503", "504", "default"} <= set(responses)
    shared = document["components"]["responses"]
    assert "Retry-After" in shared["Unavailable"]["headers"]
    assert shared["MethodNotAllowed"]["headers"]["Allow"]["required"]
    assert "X-Request-ID" in responses["200"]["headers"]
    record = document["components"]["schemas"]["Training"]
    assert record["properties"]["status"]["enum"] == ["cancelled", "done", "error", "running"]


ODD_NAMES = [
    *("live", "metrics", "debug", "v2", "1st", "---", "größe", "模型", "model", "a/b"),
    *("my-model.v2", "my_model_v2", "MyModelV2", "My model v2", "my_model_v2_2"),
    *("digits", "log_digits", "Digits", "digits_2", "digits2"),
]
both_versions = pytest.mark.parametrize("make", [openapi.build_swagger, openapi.build_openapi])


def identifiers(make: Callable[..., dict[str, Any]], names: list[str]) -> dict[tuple[str, str], str]:
    """Return operation ids by method and path, for models with these names."""
    document = make([describe_model(LoadedModel(name, SimpleNamespace())) for name in names], SPELLED)
    openapi_spec_validator.validate(document)
    return {
        (method, path): operation["operationId"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


@both_versions
def test_identifiers_of_operations(make: Callable[..., dict[str, Any]]) -> None:
    """Identifiers stay unique in every naming convention of code generators."""
    found = identifiers(make, ODD_NAMES)
    assert [name for name in found.values() if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name)] == []
    assert len({name.replace("_", "").lower() for name in found.values()}) == len(found)
    assert found == identifiers(make, ODD_NAMES[::-1])


@both_versions
def test_identifiers_name_action_and_model(make: Callable[..., dict[str, Any]]) -> None:
    found = identifiers(make, ["digits", "my-model.v2"])
    root = "/v2/models/digits"
    assert {
        ("get", "/"): "getRoot",
        ("get", "/v2/"): "getVersion",
        ("get", "/v2/models/"): "listModels",
        ("get", "/health/live"): "getLive",
        ("get", "/v2/health/live"): "getLiveV2",
        ("get", "/metrics"): "getMetrics",
        ("get", "/v2/debug/"): "getDebug",
        ("post", f"{root}/predict/"): "predict_digits",
        ("post", f"{root}/train/"): "train_digits",
        ("get", f"{root}/train/"): "listTrainings_digits",
        ("get", f"{root}/train/{{uuid}}"): "getTraining_digits",
        ("delete", f"{root}/train/{{uuid}}"): "cancelTraining_digits",
        ("post", "/v2/models/my-model.v2/predict/"): "predict_my_model_v2",
    }.items() <= found.items()


class Größe(marshmallow.Schema):  # noqa: PLC2401 - a name that Python allows and OpenAPI does not
    value = fields.Int()


def test_names_of_schemas() -> None:
    """Names of schemas are valid in OpenAPI, and have the model's name if possible."""
    models = [
        describe_model(
            LoadedModel(name, SimpleNamespace(get_predict_args=lambda: {"x": fields.Nested(Größe)}))
        )
        for name in ODD_NAMES
    ]
    document = openapi.build_openapi(models, SPELLED)
    openapi_spec_validator.validate(document)
    names = list(document["components"]["schemas"])
    assert [name for name in names if not re.fullmatch(r"[a-zA-Z0-9._-]+", name)] == []
    assert len({re.sub("[._-]", "", name).lower() for name in names}) == len(names)
    assert {"ModelPredictionResponse-1st", "ModelPredictionResponse-MyModelV2", "Groe"} <= set(names)


@pytest.mark.parametrize("name", ["digits", "my-model.v2", "1st"])
def test_name_of_a_schema_keeps_the_name_of_its_model(name: str) -> None:
    """A name that OpenAPI allows is used unchanged."""
    document = openapi.build_openapi(
        [describe_model(LoadedModel(each, SimpleNamespace())) for each in (name, "other")], SPELLED
    )
    assert f"ModelPredictionResponse-{name}" in document["components"]["schemas"]
