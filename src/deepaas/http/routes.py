"""The table of routes. What answers them is in the file of each noun."""

from collections.abc import Iterator

from aiohttp import web

from deepaas.http import debug, following, models, pages, trainings, versions
from deepaas.http.errors import Handler
from deepaas.settings import Settings

_MODEL = "/v2/models/{model}"
_TRAINING = f"{_MODEL}/train/{{uuid}}"


def routes(settings: Settings) -> Iterator[tuple[str, str, Handler]]:
    """Yield method, path and handler of each route; every path works with and without a final slash."""
    yield "POST", f"{_MODEL}/predict", models.predict
    yield "GET", "/v2/models", models.describe_all
    yield "GET", _MODEL, models.describe
    yield "GET", f"{_MODEL}/train", trainings.list_all
    yield "POST", f"{_MODEL}/train", trainings.start
    yield "GET", _TRAINING, trainings.describe
    yield "DELETE", _TRAINING, trainings.cancel
    yield "GET", f"{_TRAINING}/log", following.log
    yield "GET", f"{_TRAINING}/metrics", following.metrics
    yield "GET", f"{_TRAINING}/events", following.follow
    yield "GET", f"{_TRAINING}/artifacts", following.list_artifacts
    yield "GET", f"{_TRAINING}/artifacts/{{path:.+}}", following.artifact
    yield "GET", f"{_TRAINING}/provenance", trainings.provenance
    yield "POST", f"{_MODEL}/reload", models.reload
    yield "GET", "/v2/debug", debug.output
    yield "GET", "/v2", versions.describe
    yield "GET", "", versions.list_all
    yield "GET", "/swagger.json", pages.swagger
    yield "GET", "/openapi.json", pages.openapi
    if settings.doc_endpoint:
        yield "GET", "/api", pages.documentation
        yield "GET", "/ui", pages.ui


def add_routes(app: web.Application, settings: Settings) -> None:
    """Put the routes below the base path."""
    base = settings.base_path
    resources: dict[str, web.Resource] = {}
    for method, path, handler in routes(settings):
        if path not in resources:
            below = f"{base}{path}"
            resources[path] = app.router.add_resource(f"{below}{{slash:/?}}" if below else "/")
        resources[path].add_route(method, handler)
    if settings.doc_endpoint:
        app.router.add_static(f"{base}/static", pages.STATIC)
