"""Clients that public code generators build from the API documents.

Only @hey-api/openapi-ts reads Swagger 2.0; the other generators support only OpenAPI 3.
"""

import importlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openapi_spec_validator
import pytest

from support.machine import limit_s
from support.server import Server, serving

pytestmark = pytest.mark.slow
MODELS = {
    "uploads": "models.uploads",
    "null_defaults": "models.null_defaults",
    "my-model.v2": "models.fuzz.every_field",
    "1st": "models.schema_dict",
}
GENERATE_S = limit_s(60)
NODE_TOOLS = Path(__file__).parent / "typescript" / "node_modules" / ".bin"
CLIENT_SETTINGS = {
    "post_hooks": [],  # skip formatting the code
    # It does not support wildcards: https://github.com/openapi-generators/openapi-python-client/pull/1293
    "content_type_overrides": {"*/*": "application/octet-stream"},
}
COMPILER_OPTIONS = {
    "noEmit": True,
    "strict": True,
    "target": "es2022",
    "module": "esnext",
    "moduleResolution": "bundler",
    "lib": ["es2022", "dom", "dom.iterable"],
    "types": [],
}
HEY_API_USE = """
import { cancelTraining1St, getRoot, predictMyModelV2, predictNullDefaults, predictUploads } from "./client";

export const calls = [
  getRoot(),
  predictUploads({ body: { one: new Blob(["content"]) }, query: { then: "answer" } }),
  predictMyModelV2({ query: { needed: 1, int: 2, "other-name": "renamed" } }),
  predictNullDefaults({ query: { number: 1 } }),
  cancelTraining1St({ path: { uuid: "0".repeat(32) } }),
];
"""
OPENAPI_TYPESCRIPT_USE = """
import type { components, operations } from "./schema";

export type Root = operations["getRoot"];
export type Then = NonNullable<operations["predict_uploads"]["parameters"]["query"]>["then"];
export const inner: components["schemas"]["Inner"] = { deep: 1 };
export const number: NonNullable<operations["predict_null_defaults"]["parameters"]["query"]>["number"] = null;
export type Prediction = components["schemas"]["ModelPredictionResponse-my-model.v2"];
export type Cancelled = operations["cancelTraining_1st"]["responses"][200];
"""


@pytest.fixture(scope="module")
def server(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # Models may leave files open.
    env = {"PYTHONWARNINGS": "ignore"}
    with serving(tmp_path_factory.mktemp("server"), models=MODELS, env=env) as server:
        yield server


@pytest.fixture(scope="module")
def documents(client: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    for name in ("openapi.json", "swagger.json"):
        (folder / name).write_text(client.get(f"/{name}").text)
    return folder


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder on `sys.path` for generated packages."""
    folder = tmp_path_factory.mktemp("generated")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder


@pytest.fixture(scope="module")
def python_client(documents: Path, generated: Path) -> str:
    """Generate a package with openapi-python-client, where warnings are errors; return its name."""
    settings = documents / "settings.json"
    settings.write_text(json.dumps(CLIENT_SETTINGS))
    name = "generated_client"
    options = ["--meta", "none", "--config", settings, "--output-path", generated / name, "--fail-on-warning"]
    document = documents / "openapi.json"
    run(sys.executable, "-m", "openapi_python_client", "generate", "--path", document, *options)
    return name


def run(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a generator or a compiler; if it fails, fail with its output."""
    # The TypeScript generators use the Node.js of this environment.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | {"PATH": path},
        text=True,
        capture_output=True,
        timeout=GENERATE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("document", ["openapi.json", "swagger.json"])
def test_valid(documents: Path, document: str) -> None:
    openapi_spec_validator.validate(json.loads((documents / document).read_text()))


def call(package: str, group: str, operation: str, url: str, **arguments: Any) -> Any:
    """Call an operation through a generated package; return the parsed response."""
    module = importlib.import_module(f"{package}.api.{group}.{operation}")
    with importlib.import_module(package).Client(base_url=url) as client:
        return module.sync(client=client, **arguments)


def test_python_client_uploads_files(server: Server, python_client: str) -> None:
    models, types = (importlib.import_module(f"{python_client}.{name}") for name in ("models", "types"))

    def file(content: bytes) -> Any:
        return types.File(payload=io.BytesIO(content), file_name="a.txt", mime_type="text/plain")

    body = models.PredictUploadsBody(one=file(b"first"), many=[file(b"second"), file(b"third")])
    response = call(python_client, "uploads", "predict_uploads", server.url, body=body)
    assert isinstance(response, models.ModelPredictionResponseUploads)
    predictions = json.loads(response.predictions)
    assert predictions["one"]["content"] == "first"
    assert predictions["one"]["original_filename"] == "a.txt"
    assert [each["content"] for each in predictions["many"]] == ["second", "third"]


def test_python_client_leaves_out_null(server: Server, python_client: str) -> None:
    """The client does not send arguments whose default is null."""
    response = call(python_client, "null_defaults", "predict_null_defaults", server.url)
    assert set(json.loads(response.predictions).values()) == {None}
    response = call(
        python_client, "null_defaults", "predict_null_defaults", server.url, number=3, numbers=[1]
    )
    assert json.loads(response.predictions)["number"] == 3
    assert json.loads(response.predictions)["numbers"] == [1]


def test_python_client_of_odd_names(server: Server, python_client: str) -> None:
    """Names of models need not be identifiers."""
    response = call(python_client, "tag1st", "predict_1st", server.url)
    assert (response.labels, response.scores) == (["a"], [0.5])
    response = call(python_client, "my_model_v2", "predict_my_model_v2", server.url, needed=5)
    assert json.loads(response.predictions)["needed"] == ["int", 5]


def test_pydantic_models(client: httpx.Client, documents: Path, generated: Path) -> None:
    """Classes generated by datamodel-code-generator accept the server's responses."""
    # It writes a folder, because names with a dot become modules:
    # https://github.com/datamodel-code-generator/datamodel-code-generator/issues/1638
    output = generated / "generated_models"
    options = ["--output", output, "--output-model-type", "pydantic_v2.BaseModel", "--formatters", "builtin"]
    document = documents / "openapi.json"
    run(sys.executable, "-m", "datamodel_code_generator", "--input", document, *options)
    models = importlib.import_module("generated_models")
    prediction = client.post("/v2/models/1st/predict/").json()
    assert models.ModelPredictionResponse1st.model_validate(prediction).labels == ["a"]
    root = models.Versions.model_validate(client.get("/").json())
    assert [version.id for version in root.versions] == ["v2"]
    of_dotted_name = importlib.import_module("generated_models.ModelPredictionResponse_my_model").V2
    assert set(of_dotted_name.model_fields) == {"status", "predictions"}


def node_tool(name: str) -> Path:
    assert (NODE_TOOLS / name).exists(), "Run `make setup`."
    return NODE_TOOLS / name


def compile_typescript(folder: Path, use: str) -> None:
    """Check the types of the generated files and of a program that uses them."""
    (folder / "use.ts").write_text(use)
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": COMPILER_OPTIONS}))
    run(node_tool("tsc"), "--project", folder)


@pytest.mark.parametrize("document", ["openapi.json", "swagger.json"])
def test_hey_api(documents: Path, tmp_path: Path, document: str) -> None:
    """The generated client compiles, and its functions are named after action and model."""
    options = ["--output", tmp_path / "client", "--no-log-file"]
    run(node_tool("openapi-ts"), "--input", documents / document, *options, cwd=tmp_path)
    compile_typescript(tmp_path, HEY_API_USE)


def test_openapi_typescript(documents: Path, tmp_path: Path) -> None:
    """The generated types compile under the names of operations and schemas."""
    run(node_tool("openapi-typescript"), documents / "openapi.json", "--output", tmp_path / "schema.ts")
    compile_typescript(tmp_path, OPENAPI_TYPESCRIPT_USE)
