"""The table of routes. What answers them is in the file of each noun."""

from collections.abc import Iterator
from typing import NamedTuple

from aiohttp import web

from deepaas.http import debug, following, health, models, pages, trainings, versions
from deepaas.http.access import Scope
from deepaas.http.errors import Handler
from deepaas.http.keys import SCOPES
from deepaas.settings import Settings

_MODEL = "/v2/models/{model}"
_TRAINING = f"{_MODEL}/train/{{uuid}}"


class Route(NamedTuple):
    """A method and a path below the base path, who may use it, and what answers."""

    method: str
    path: str
    scope: Scope
    handler: Handler


def routes(settings: Settings) -> Iterator[Route]:
    """Yield each route; every path works with and without a final slash."""
    yield Route("POST", f"{_MODEL}/predict", Scope.PREDICT, models.predict)
    yield Route("GET", "/v2/models", Scope.ANY, models.describe_all)
    yield Route("GET", _MODEL, Scope.ANY, models.describe)
    yield Route("POST", f"{_MODEL}/reload", Scope.ADMIN, models.reload)
    yield Route("GET", f"{_MODEL}/ready", Scope.OPEN, health.model_ready)
    yield Route("GET", f"{_MODEL}/train", Scope.TRAIN, trainings.list_all)
    yield Route("POST", f"{_MODEL}/train", Scope.TRAIN, trainings.start)
    yield Route("GET", _TRAINING, Scope.TRAIN, trainings.describe)
    yield Route("DELETE", _TRAINING, Scope.TRAIN, trainings.cancel)
    yield Route("GET", f"{_TRAINING}/log", Scope.TRAIN, following.log)
    yield Route("GET", f"{_TRAINING}/metrics", Scope.TRAIN, following.metrics)
    yield Route("GET", f"{_TRAINING}/events", Scope.TRAIN, following.follow)
    yield Route("GET", f"{_TRAINING}/artifacts", Scope.TRAIN, following.list_artifacts)
    yield Route("GET", f"{_TRAINING}/artifacts/{{path:.+}}", Scope.TRAIN, following.artifact)
    yield Route("GET", f"{_TRAINING}/provenance", Scope.TRAIN, trainings.provenance)
    yield Route("GET", "/v2/debug", Scope.ADMIN, debug.output)
    yield Route("GET", "/v2", Scope.OPEN, versions.describe)
    yield Route("GET", "", Scope.OPEN, versions.list_all)
    yield Route("GET", "/swagger.json", Scope.OPEN, pages.swagger)
    yield Route("GET", "/openapi.json", Scope.OPEN, pages.openapi)
    yield Route("GET", "/metrics", Scope.ANY, health.metrics)
    for prefix in ("/health", "/v2/health"):
        yield Route("GET", f"{prefix}/live", Scope.OPEN, health.live)
        yield Route("GET", f"{prefix}/ready", Scope.OPEN, health.ready)
    if settings.doc_endpoint:
        yield Route("GET", "/api", Scope.OPEN, pages.documentation)
        yield Route("GET", "/ui", Scope.OPEN, pages.ui)
        yield Route("GET", f"{_MODEL}/ui", Scope.OPEN, pages.ui_of_model)
        yield Route("GET", "/static/{path:.+}", Scope.OPEN, pages.static)


def add_routes(app: web.Application, settings: Settings) -> None:
    """Put the routes below the base path."""
    resources: dict[str, web.Resource] = {}
    for route in routes(settings):
        if route.path not in resources:
            below = f"{settings.base_path}{route.path}"
            resources[route.path] = app.router.add_resource(f"{below}{{slash:/?}}" if below else "/")
        resources[route.path].add_route(route.method, route.handler)
        if route.method == "GET" and route.handler not in (following.log, following.follow):
            resources[route.path].add_route("HEAD", route.handler)
        app[SCOPES][route.handler] = route.scope
