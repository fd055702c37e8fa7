"""Middleware: request id, authorization, error responses, metrics; CORS."""

from aiohttp import hdrs, web

from deepaas.errors import BadRequest
from deepaas.http.auth import Scope
from deepaas.http.browser_security import PRIVATE_HEADERS, PUBLIC_HEADERS, parse_origins
from deepaas.http.context import BROWSER_POLICY, IN_FLIGHT_REQUESTS, METRICS, ROUTE_SCOPES, TOKENS
from deepaas.http.error_responses import RESPONSE_STARTED, Handler, error_response
from deepaas.http.request_id import REQUEST_ID_HEADER, get_request_id
from deepaas.log import request_id

_METHODS = "GET, POST, DELETE, OPTIONS"
_MAX_AGE_S = "600"


def allow_origins(app: web.Application, origins_text: str) -> None:
    """Enable CORS: pages of the comma-separated origins may read the responses of `app`."""
    allowed = parse_origins(origins_text)

    def is_known(request: web.Request) -> bool:
        origin = request.headers.get(hdrs.ORIGIN, "")
        return bool(origin) and ("*" in allowed or origin in allowed)

    @web.middleware
    async def answer_preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_preflight = hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        if request.method == hdrs.METH_OPTIONS and is_preflight and is_known(request):
            return web.Response(status=204, headers=_build_preflight_headers(request))
        return await handler(request)

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        """Run just before each response is sent, including streams and errors."""
        if is_known(request):
            response.headers.update(_build_cors_headers(request.headers[hdrs.ORIGIN]))

    app.middlewares.append(answer_preflight)
    app.on_response_prepare.append(add_headers)


def _build_cors_headers(origin: str) -> dict[str, str]:
    return {
        hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin,
        hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: f"{REQUEST_ID_HEADER}, Retry-After, Content-Disposition",
        hdrs.VARY: hdrs.ORIGIN,
    }


def _build_preflight_headers(request: web.Request) -> dict[str, str]:
    return {
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, ""),
        hdrs.ACCESS_CONTROL_MAX_AGE: _MAX_AGE_S,
    }


_UNMATCHED_ROUTE = "unmatched"


@web.middleware
async def request_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Check and handle a request; every exception becomes a JSON error, except `ConnectionResetError`."""
    identity = get_request_id(request.headers)
    request_id.set(identity)
    request.protocol.on_request_received()  # type: ignore[attr-defined]  # the protocol is `FastPathProtocol`
    scope = request.app[ROUTE_SCOPES].get(request.match_info.handler, Scope.PUBLIC)
    try:
        with request.app[IN_FLIGHT_REQUESTS]:
            _check_target(request.raw_path)
            request.app[BROWSER_POLICY].check(request.method, request.headers, request.transport)
            request.app[TOKENS].check(request.headers, scope)
            response = await handler(request)
    except ConnectionResetError:
        raise
    except Exception as error:
        response = error_response(error)
        if request.get(RESPONSE_STARTED):
            # Too late for an error response: abort, so that the client sees that the response is incomplete.
            if request.transport:
                request.transport.abort()
            raise ConnectionResetError from error
    if not response.prepared:
        response.headers[REQUEST_ID_HEADER] = identity
        for name, value in (PUBLIC_HEADERS if scope is Scope.PUBLIC else PRIVATE_HEADERS).items():
            response.headers.setdefault(name, value)  # HTML pages set a different policy
    resource = request.match_info.route.resource
    route = resource.canonical.removesuffix("{slash}") if resource else _UNMATCHED_ROUTE
    request.app[METRICS].record_request(request.method, route, response.status)
    return response


def _check_target(target: str) -> None:
    """Raise `BadRequest` for a target with a host or a fragment, which a proxy may interpret differently."""
    if not target.startswith("/") or "#" in target:
        raise BadRequest("Invalid request target. Send a path that begins with / and has no fragment.")
