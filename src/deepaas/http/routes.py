"""The table of routes. What answers them is in the file of each noun."""

from collections.abc import Iterator

from aiohttp import web

from deepaas.http import debug, models, pages, trainings, versions
from deepaas.http.errors import Handler
from deepaas.settings import Settings

_MODEL = "/v2/models/{model}"


def routes(settings: Settings) -> Iterator[tuple[str, str, Handler]]:
    """Yield method, path and handler of each route; every path works with and without a final slash."""
    yield "POST", f"{_MODEL}/predict", models.predict
    yield "GET", "/v2/models", models.describe_all
    yield "GET", _MODEL, models.describe
    yield "GET", f"{_MODEL}/train", trainings.list_all
    yield "POST", f"{_MODEL}/train", trainings.start
    yield "GET", f"{_MODEL}/train/{{uuid}}", trainings.describe
    yield "DELETE", f"{_MODEL}/train/{{uuid}}", trainings.cancel
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
