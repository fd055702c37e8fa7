"""The API's documentation, for people and for machines."""

from pathlib import Path

from aiohttp import web

from deepaas.http import specification
from deepaas.http.errors import json_response
from deepaas.http.keys import SERVICE, SETTINGS

STATIC = Path(__file__).parent / "static"


async def swagger(request: web.Request) -> web.Response:
    """Answer with the Swagger 2.0 document."""
    models = (served.model for served in request.app[SERVICE].models.values())
    return json_response(specification.swagger(models, request.app[SETTINGS].base_path))


async def openapi(request: web.Request) -> web.Response:
    """Answer with the OpenAPI 3.1 document."""
    models = (served.model for served in request.app[SERVICE].models.values())
    return json_response(specification.openapi(models, request.app[SETTINGS].base_path))


async def documentation(request: web.Request) -> web.FileResponse:
    """Answer with Swagger UI, whose addresses are relative to that of this page without a final slash."""
    if request.path.endswith("/"):
        raise web.HTTPFound(request.path.rstrip("/"))
    return web.FileResponse(STATIC / "api" / "index.html")


async def ui(request: web.Request) -> web.Response:
    """Lead to the page for people."""
    raise web.HTTPFound(f"{request.app[SETTINGS].base_path}/api")
