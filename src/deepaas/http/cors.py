"""Calls from pages of other origins, where whoever runs the server allows them."""

from aiohttp import hdrs, web

from deepaas.http.browsers import read_origins
from deepaas.http.errors import REQUEST_ID, Handler

_METHODS = "GET, POST, DELETE, OPTIONS"
_KEPT_S = "600"


def allow_origins(app: web.Application, text: str) -> None:
    """Let pages of the origins in `text`, separated by commas, read what `app` answers."""
    allowed = read_origins(text)

    def is_known(request: web.Request) -> bool:
        origin = request.headers.get(hdrs.ORIGIN, "")
        return bool(origin) and ("*" in allowed or origin in allowed)

    @web.middleware
    async def answer_preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_preflight = hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        if request.method == hdrs.METH_OPTIONS and is_preflight and is_known(request):
            return web.Response(status=204, headers=_preflight(request))
        return await handler(request)

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        """Put the headers on a response that is about to be sent, streams and errors included."""
        if is_known(request):
            response.headers.update(_headers(request.headers[hdrs.ORIGIN]))

    app.middlewares.append(answer_preflight)
    app.on_response_prepare.append(add_headers)


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
