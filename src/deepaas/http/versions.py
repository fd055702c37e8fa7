"""The versions of the API."""

from typing import Any

from aiohttp import web

from deepaas.http.errors import json_response
from deepaas.http.keys import SETTINGS


async def list_all(request: web.Request) -> web.Response:
    """Answer with every version and where to read on."""
    settings = request.app[SETTINGS]
    links = [{"rel": "describedby", "type": "application/json", "href": f"{settings.base_path}/swagger.json"}]
    if settings.doc_endpoint:
        links.insert(0, {"rel": "help", "type": "text/html", "href": f"{settings.base_path}/api"})
    return json_response({"versions": [_version(settings.base_path)], "links": links})


async def describe(request: web.Request) -> web.Response:
    """Answer with the version that there is."""
    return json_response(_version(request.app[SETTINGS].base_path))


def _version(base_path: str) -> dict[str, Any]:
    links = [{"rel": "self", "type": "application/json", "href": f"{base_path}/v2/"}]
    return {"version": "stable", "id": "v2", "links": links}
