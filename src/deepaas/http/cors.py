"""Calls from pages of other origins, where whoever runs the server allows them."""

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from deepaas.http.errors import REQUEST_ID, Handler

_METHODS = "GET, POST, DELETE, OPTIONS"
_KEPT_S = "600"


def allow_origins(text: str) -> Middleware:
    """Return a middleware that lets the origins in `text`, separated by commas, read what is answered."""
    allowed = frozenset(origin.strip().rstrip("/") for origin in text.split(","))

    @web.middleware
    async def allow(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get(hdrs.ORIGIN, "")
        known = bool(origin) and ("*" in allowed or origin in allowed)
        if (
            known
            and request.method == hdrs.METH_OPTIONS
            and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        ):
            return web.Response(status=204, headers=_headers(origin) | _preflight(request))
        if known:
            request["cors"] = _headers(origin)
        return await handler(request)

    return allow


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers on a response that is about to be sent, streams included."""
    response.headers.update(request.get("cors", {}))


def _headers(origin: str) -> dict[str, str]:
    return {
        hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin,
        hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: f"{REQUEST_ID}, Retry-After, Content-Disposition",
        hdrs.VARY: hdrs.ORIGIN,
    }


def _preflight(request: web.Request) -> dict[str, str]:
    return {
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, ""),
        hdrs.ACCESS_CONTROL_MAX_AGE: _KEPT_S,
    }
