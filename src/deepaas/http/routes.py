"""Table of routes, with their required scopes and handlers."""

from collections.abc import Iterator
from typing import NamedTuple

from aiohttp import web

from deepaas.config.settings import Settings
from deepaas.http.auth import Scope
from deepaas.http.context import ROUTE_SCOPES
from deepaas.http.error_responses import Handler
from deepaas.http.handlers import models, pages, status, trainings

_MODEL_PATH = "/v2/models/{model}"
_TRAINING_PATH = f"{_MODEL_PATH}/train/{{uuid}}"


class Route(NamedTuple):
    """A method and a path below the base path, with the required scope and the handler."""

    method: str
    path: str
    scope: Scope
    handler: Handler


def iterate_routes(settings: Settings) -> Iterator[Route]:
    """Yield all routes; every path works with and without a final slash."""
    yield Route("POST", f"{_MODEL_PATH}/predict", Scope.PREDICT, models.predict)
    yield Route("GET", "/v2/models", Scope.ANY_TOKEN, models.list_models)
    yield Route("GET", _MODEL_PATH, Scope.ANY_TOKEN, models.get_metadata)
    yield Route("POST", f"{_MODEL_PATH}/reload", Scope.ADMIN, models.reload_model)
    yield Route("GET", f"{_MODEL_PATH}/ready", Scope.PUBLIC, status.check_model_readiness)
    yield Route("GET", f"{_MODEL_PATH}/train", Scope.TRAIN, trainings.list_trainings)
    yield Route("POST", f"{_MODEL_PATH}/train", Scope.TRAIN, trainings.start_training)
    yield Route("GET", _TRAINING_PATH, Scope.TRAIN, trainings.get_training)
    yield Route("DELETE", _TRAINING_PATH, Scope.TRAIN, trainings.cancel_training)
    yield Route("GET", f"{_TRAINING_PATH}/log", Scope.TRAIN, trainings.get_log)
    yield Route("GET", f"{_TRAINING_PATH}/metrics", Scope.TRAIN, trainings.list_metrics)
    yield Route("GET", f"{_TRAINING_PATH}/events", Scope.TRAIN, trainings.stream_events)
    yield Route("GET", f"{_TRAINING_PATH}/artifacts", Scope.TRAIN, trainings.list_artifacts)
    yield Route("GET", f"{_TRAINING_PATH}/artifacts/{{path:.+}}", Scope.TRAIN, trainings.get_artifact)
    yield Route("GET", f"{_TRAINING_PATH}/provenance", Scope.TRAIN, trainings.get_provenance)
    yield Route("GET", "/v2/debug", Scope.ADMIN, status.get_debug_output)
    yield Route("GET", "/v2", Scope.PUBLIC, status.get_version)
    yield Route("GET", "", Scope.PUBLIC, status.list_versions)
    yield Route("GET", "/swagger.json", Scope.PUBLIC, pages.get_swagger)
    yield Route("GET", "/openapi.json", Scope.PUBLIC, pages.get_openapi)
    yield Route("GET", "/metrics", Scope.ANY_TOKEN, status.get_metrics)
    for prefix in ("/health", "/v2/health"):
        yield Route("GET", f"{prefix}/live", Scope.PUBLIC, status.check_liveness)
        yield Route("GET", f"{prefix}/ready", Scope.PUBLIC, status.check_readiness)
    if settings.doc_endpoint:
        yield Route("GET", "/api", Scope.PUBLIC, pages.get_api_docs)
        yield Route("GET", "/ui", Scope.PUBLIC, pages.get_ui)
        yield Route("GET", f"{_MODEL_PATH}/ui", Scope.PUBLIC, pages.redirect_to_ui)
        yield Route("GET", "/static/{path:.+}", Scope.PUBLIC, pages.get_static_file)


def add_routes(app: web.Application, settings: Settings) -> None:
    """Register the routes below the base path, with HEAD for every GET except the streams."""
    resources: dict[str, web.Resource] = {}
    for route in iterate_routes(settings):
        if route.path not in resources:
            below = f"{settings.base_path}{route.path}"
            resources[route.path] = app.router.add_resource(f"{below}{{slash:/?}}" if below else "/")
        resources[route.path].add_route(route.method, route.handler)
        if route.method == "GET" and route.handler not in (trainings.get_log, trainings.stream_events):
            resources[route.path].add_route("HEAD", route.handler)
        app[ROUTE_SCOPES][route.handler] = route.scope
