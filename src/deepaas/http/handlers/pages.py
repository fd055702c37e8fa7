"""The API's documentation, for people and for machines."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from aiohttp import hdrs, web

from deepaas.http import openapi
from deepaas.http.context import SERVICE, SETTINGS, TOKENS
from deepaas.http.errors import json_response
from deepaas.http.request_params import get_model
from deepaas.http.responses import FileResponse
from deepaas.messages import Envelope
from deepaas.model.model import Model

STATIC_FOLDER = Path(__file__).resolve().parents[1] / "static"

_FRAME_ANCESTORS = "frame-ancestors 'self'"
# The page runs our scripts alone, speaks to this server alone, and makes no markup of texts: models may be
# hostile.
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
    """Answer with the Swagger 2.0 document."""
    return json_response(openapi.build_swagger(_iterate_models(request), _build_spec_options(request)))


async def get_openapi(request: web.Request) -> web.Response:
    """Answer with the OpenAPI 3.1 document."""
    return json_response(openapi.build_openapi(_iterate_models(request), _build_spec_options(request)))


async def get_static_file(request: web.Request) -> FileResponse:
    """Answer with a file that the pages use."""
    try:
        path = (STATIC_FOLDER / request.match_info["path"]).resolve()
        if path.is_relative_to(STATIC_FOLDER) and path.is_file():
            # A browser asks whether it has changed, so that no page runs with the scripts of another release.
            return FileResponse(path, headers={hdrs.CACHE_CONTROL: "no-cache"})
    except (OSError, ValueError):
        pass  # a name that no file can have
    raise web.HTTPNotFound


async def get_api_docs(request: web.Request) -> FileResponse:
    """Answer with Swagger UI, whose addresses are relative to that of this page without a final slash."""
    if request.path.endswith("/"):
        raise web.HTTPFound(request.path.rstrip("/"))
    return FileResponse(
        STATIC_FOLDER / "api" / "index.html", headers={"Content-Security-Policy": _FRAME_ANCESTORS}
    )


async def get_ui(request: web.Request) -> FileResponse:
    """Answer with the page for people, whose addresses are relative to its own without a final slash."""
    if request.path.endswith("/"):
        raise web.HTTPFound("../ui")
    return FileResponse(STATIC_FOLDER / "ui" / "index.html", headers=_UI_HEADERS)


async def redirect_to_ui(request: web.Request) -> web.Response:
    """Lead to the page for people, since some append /ui to a model's address."""
    model = get_model(request).name
    up = "../../../.." if request.path.endswith("/") else "../../.."
    raise web.HTTPFound(f"{up}/ui#/{quote(model, safe='')}")


def _iterate_models(request: web.Request) -> Iterator[Model]:
    return (served.model for served in request.app[SERVICE].models.values())


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
