"""The routes and bodies of the API, generated from the route table and the OpenAPI document of a model."""

import inspect
from collections.abc import Iterator
from typing import Any

from deepaas.config.settings import Settings
from deepaas.describer.introspection import describe_model
from deepaas.http import routes
from deepaas.http.openapi import SpecOptions, build_openapi
from deepaas.messages import Envelope
from deepaas.model.model import LoadedModel
from rows import code, codes, table

_MODEL = "MODEL"
Described = dict[str, Any]


class _Everything:
    """A model that implements every function, so that every route exists."""

    def predict(self) -> None:
        """Predict nothing."""

    def train(self) -> None:
        """Train nothing."""


def markdown() -> str:
    """Return a section for each route, then one for each body."""
    document = build_openapi(
        [describe_model(LoadedModel(_MODEL, _Everything()))],
        SpecOptions(base_path="", envelope=Envelope.STRING, auth_required=True, debug_enabled=True),
    )
    described = {
        (method.upper(), _plain(path)): found
        for path, methods in document["paths"].items()
        for method, found in methods.items()
    }
    sections = [
        _route(route, described.get((route.method, _plain(route.path))), document) for route in all_routes()
    ]
    bodies = [_body(name, schema) for name, schema in document["components"]["schemas"].items()]
    return "\n".join(["## Routes\n", *sections, "## Bodies\n", *bodies])


def all_routes() -> list[routes.Route]:
    """Return the routes of a server with all features enabled."""
    return list(routes.iterate_routes(Settings()))


def shown(path: str) -> str:
    """Return a route's path as the page shows it."""
    return path.replace("{path:.+}", "{path}") or "/"


def _plain(path: str) -> str:
    return shown(path).replace(f"/{_MODEL}", "/{model}").rstrip("/")


def _route(route: routes.Route, described: Described | None, document: Described) -> str:
    parts = [f"### `{route.method} {shown(route.path)}`\n"]
    said = described["summary"] if described else (inspect.getdoc(route.handler) or "").splitlines()[0]
    parts += [f"{said.rstrip('.')}. Scope: {code(route.scope.value)}.\n"]
    if described:
        parts += list(_parameters(described.get("parameters", [])))
        parts += [
            table(("status", "meaning", "media types", "body", "headers"), _answers(described, document))
        ]
    return "\n".join(parts)


def _parameters(parameters: list[Described]) -> Iterator[str]:
    if parameters:
        rows = (
            (code(one["name"]), one["in"], _kind(one["schema"]), one.get("description", ""))
            for one in parameters
        )
        yield table(("parameter", "in", "type", "meaning"), rows)


def _answers(described: Described, document: Described) -> Iterator[tuple[str, ...]]:
    for status, answer in described["responses"].items():
        found = document["components"]["responses"][_name(answer)] if "$ref" in answer else answer
        content = found.get("content", {})
        kinds = dict.fromkeys(_kind(one.get("schema", {})) for one in content.values())
        headers = found.get("headers", {})
        yield (
            "any other" if status == "default" else status,
            found["description"],
            codes(content),
            ", ".join(kinds),
            codes(headers),
        )


def _body(name: str, schema: Described) -> str:
    rows = [
        (
            code(key),
            _kind(one),
            "yes" if key in schema.get("required", ()) else "",
            one.get("description", ""),
        )
        for key, one in schema.get("properties", {}).items()
    ]
    said = schema.get("description", "")
    shape = table(("key", "type", "always", "meaning"), rows) if rows else f"{_kind(schema)}\n"
    return "\n".join([f"### {name}\n", *([f"{said}\n"] if said else []), shape])


def _kind(schema: Described) -> str:
    """Return a short description of a schema's type."""
    if "$ref" in schema:
        return f"[{_name(schema)}](#{_name(schema).lower()})"
    if "enum" in schema:
        return f"one of {codes(map(str, schema['enum']))}"
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if kind == "object" and schema.get("additionalProperties"):
        return f"object of {_kind(schema['additionalProperties'])}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _name(reference: Described) -> str:
    return str(reference["$ref"]).rpartition("/")[2]
