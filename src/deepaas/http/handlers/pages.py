"""Serves the web UI, Swagger UI, the OpenAPI documents and static files."""

from pathlib import Path
from urllib.parse import quote

from aiohttp import hdrs, web

from deepaas.describer.description import ModelDescription
from deepaas.http import openapi
from deepaas.http.context import SERVICE, SETTINGS, TOKENS
from deepaas.http.error_responses import json_response
from deepaas.http.request_params import get_model
from deepaas.http.responses import FileResponse
from deepaas.messages import Envelope

STATIC_FOLDER = Path(__file__).resolve().parents[1] / "static"

_FRAME_ANCESTORS = "frame-ancestors 'self'"
# The web UI runs only our scripts, connects only to this server and creates no markup from text, because
# models are not trusted.
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' blob: data:",
    "media-src blob:",
    "frame-src blob:",
    "base-uri 'none'",
    "form-action 'none'",
    _FRAME_ANCESTORS,
    "require-trusted-types-for 'script'",
    "trusted-types lit-html dompurify",
)
_UI_HEADERS = {
    "Content-Security-Policy": "; ".join(_CONTENT_SECURITY_POLICY),
    "Referrer-Policy": "no-referrer",
    hdrs.CACHE_CONTROL: "no-cache",
}


async def get_swagger(request: web.Request) -> web.Response:
    """Return the Swagger 2.0 document."""
    return json_response(openapi.build_swagger(_list_descriptions(request), _build_spec_options(request)))


async def get_openapi(request: web.Request) -> web.Response:
    """Return the OpenAPI 3.1 document."""
    return json_response(openapi.build_openapi(_list_descriptions(request), _build_spec_options(request)))


async def get_static_file(request: web.Request) -> FileResponse:
    """Return a static file; raise 404 for paths outside the static folder."""
    try:
        path = (STATIC_FOLDER / request.match_info["path"]).resolve()
        if path.is_relative_to(STATIC_FOLDER) and path.is_file():
            # no-cache: browsers revalidate, so that no page runs with scripts of another release.
            return FileResponse(path, headers={hdrs.CACHE_CONTROL: "no-cache"})
    except (OSError, ValueError):
        pass  # not a valid file name
    raise web.HTTPNotFound


async def get_api_docs(request: web.Request) -> FileResponse:
    """Return Swagger UI; redirect a trailing slash, because the page's relative URLs need none."""
    if request.path.endswith("/"):
        raise web.HTTPFound(request.path.rstrip("/"))
    return FileResponse(
        STATIC_FOLDER / "api" / "index.html", headers={"Content-Security-Policy": _FRAME_ANCESTORS}
    )


async def get_ui(request: web.Request) -> FileResponse:
    """Return the web UI; redirect a trailing slash, because the page's relative URLs need none."""
    if request.path.endswith("/"):
        raise web.HTTPFound("../ui")
    return FileResponse(STATIC_FOLDER / "ui" / "index.html", headers=_UI_HEADERS)


async def redirect_to_ui(request: web.Request) -> web.Response:
    """Redirect to the web UI of a model, because some users append /ui to the model's URL."""
    model = get_model(request).name
    up = "../../../.." if request.path.endswith("/") else "../../.."
    raise web.HTTPFound(f"{up}/ui#/{quote(model, safe='')}")


def _list_descriptions(request: web.Request) -> list[ModelDescription]:
    """Return the descriptions of all models that are described: the documents omit broken models."""
    descriptions = (served.description for served in request.app[SERVICE].models.values())
    return [description for description in descriptions if description is not None]


def _build_spec_options(request: web.Request) -> openapi.SpecOptions:
    settings = request.app[SETTINGS]
    endpoints = {"predict": settings.predict_endpoint, "train": settings.train_endpoint}
    return openapi.SpecOptions(
        base_path=settings.base_path,
        envelope=Envelope(settings.predictions),
        auth_required=bool(request.app[TOKENS]),
        debug_enabled=settings.debug_endpoint,
        disabled_functions=tuple(name for name, is_on in endpoints.items() if not is_on),
    )
