"""The API's documentation, for people and for machines."""

from collections.abc import Iterator
from pathlib import Path

from aiohttp import web

from deepaas.http import specification
from deepaas.http.errors import json_response
from deepaas.http.keys import SERVICE, SETTINGS, TOKENS
from deepaas.model.model import Model

STATIC = Path(__file__).resolve().parent / "static"


async def swagger(request: web.Request) -> web.Response:
    """Answer with the Swagger 2.0 document."""
    return json_response(specification.swagger(_models(request), _published(request)))


async def openapi(request: web.Request) -> web.Response:
    """Answer with the OpenAPI 3.1 document."""
    return json_response(specification.openapi(_models(request), _published(request)))


async def static(request: web.Request) -> web.FileResponse:
    """Answer with a file that the pages use."""
    try:
        path = (STATIC / request.match_info["path"]).resolve()
        if path.is_relative_to(STATIC) and path.is_file():
            return web.FileResponse(path)
    except (OSError, ValueError):
        pass  # a name that no file can have
    raise web.HTTPNotFound


async def documentation(request: web.Request) -> web.FileResponse:
    """Answer with Swagger UI, whose addresses are relative to that of this page without a final slash."""
    if request.path.endswith("/"):
        raise web.HTTPFound(request.path.rstrip("/"))
    return web.FileResponse(STATIC / "api" / "index.html")


async def ui(request: web.Request) -> web.Response:
    """Lead to the page for people."""
    raise web.HTTPFound(f"{request.app[SETTINGS].base_path}/api")


def _models(request: web.Request) -> Iterator[Model]:
    return (served.model for served in request.app[SERVICE].models.values())


def _published(request: web.Request) -> specification.Published:
    settings = request.app[SETTINGS]
    return specification.Published(
        base_path=settings.base_path,
        wraps=settings.predictions == "string",
        wants_token=bool(request.app[TOKENS]),
        shows_output=settings.debug_endpoint,
    )
