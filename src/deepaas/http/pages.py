"""The API's documentation, for people and for machines."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from aiohttp import hdrs, web

from deepaas.http import specification
from deepaas.http.errors import json_response
from deepaas.http.keys import SERVICE, SETTINGS, TOKENS
from deepaas.http.named import named
from deepaas.http.streaming import FileResponse
from deepaas.messages import Envelope
from deepaas.model.model import Model

STATIC = Path(__file__).resolve().parent / "static"

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
_GUARDED = {
    "Content-Security-Policy": "; ".join(_CONTENT_SECURITY_POLICY),
    "Referrer-Policy": "no-referrer",
    hdrs.CACHE_CONTROL: "no-cache",
}


async def swagger(request: web.Request) -> web.Response:
    """Answer with the Swagger 2.0 document."""
    return json_response(specification.swagger(_models(request), _published(request)))


async def openapi(request: web.Request) -> web.Response:
    """Answer with the OpenAPI 3.1 document."""
    return json_response(specification.openapi(_models(request), _published(request)))


async def static(request: web.Request) -> FileResponse:
    """Answer with a file that the pages use."""
    try:
        path = (STATIC / request.match_info["path"]).resolve()
        if path.is_relative_to(STATIC) and path.is_file():
            # A browser asks whether it has changed, so that no page runs with the scripts of another release.
            return FileResponse(path, headers={hdrs.CACHE_CONTROL: "no-cache"})
    except (OSError, ValueError):
        pass  # a name that no file can have
    raise web.HTTPNotFound


async def documentation(request: web.Request) -> FileResponse:
    """Answer with Swagger UI, whose addresses are relative to that of this page without a final slash."""
    if request.path.endswith("/"):
        raise web.HTTPFound(request.path.rstrip("/"))
    return FileResponse(STATIC / "api" / "index.html", headers={"Content-Security-Policy": _FRAME_ANCESTORS})


async def ui(request: web.Request) -> FileResponse:
    """Answer with the page for people, whose addresses are relative to its own without a final slash."""
    if request.path.endswith("/"):
        raise web.HTTPFound("../ui")
    return FileResponse(STATIC / "ui" / "index.html", headers=_GUARDED)


async def ui_of_model(request: web.Request) -> web.Response:
    """Lead to the page for people, since some append /ui to a model's address."""
    model = named(request).name
    up = "../../../.." if request.path.endswith("/") else "../../.."
    raise web.HTTPFound(f"{up}/ui#/{quote(model, safe='')}")


def _models(request: web.Request) -> Iterator[Model]:
    return (served.model for served in request.app[SERVICE].models.values())


def _published(request: web.Request) -> specification.Published:
    settings = request.app[SETTINGS]
    endpoints = {"predict": settings.predict_endpoint, "train": settings.train_endpoint}
    return specification.Published(
        base_path=settings.base_path,
        envelope=Envelope(settings.predictions),
        wants_token=bool(request.app[TOKENS]),
        shows_output=settings.debug_endpoint,
        switched_off=tuple(name for name, is_on in endpoints.items() if not is_on),
    )
