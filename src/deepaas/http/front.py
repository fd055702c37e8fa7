"""What every request goes through: an id, a look at its token, an answer whatever happens, a count."""

import re
from collections.abc import Mapping

from aiohttp import web

from deepaas.errors import BadRequest
from deepaas.http.access import Scope
from deepaas.http.browsers import PRIVATE_HEADERS, PUBLIC_HEADERS
from deepaas.http.errors import REQUEST_ID, STREAMING, Handler, error_response, new_identity
from deepaas.http.keys import BROWSERS, METRICS, SCOPES, TOKENS, UNDER_WAY
from deepaas.log import request_id

_USABLE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_UNMATCHED = "unmatched"
# Orchestrators ask by the address of a container, which nobody can name beforehand.


@web.middleware
async def front(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer the request; whatever is raised becomes JSON with a status."""
    identity = identity_of(request.headers)
    request_id.set(identity)
    request.protocol.note_request()  # type: ignore[attr-defined]  # our own connection
    request.app[UNDER_WAY].begin()
    scope = request.app[SCOPES].get(request.match_info.handler, Scope.OPEN)
    try:
        _check_target(request.raw_path)
        request.app[BROWSERS].check(request.method, request.headers, request.transport)
        request.app[TOKENS].check(request.headers, scope)
        response = await handler(request)
    except ConnectionResetError:
        raise
    except Exception as error:
        response = error_response(error)
        if request.get(STREAMING):
            # The answer has begun; all that can still be said is that it will not be whole.
            if request.transport:
                request.transport.abort()
            raise ConnectionResetError from error
    finally:
        request.app[UNDER_WAY].end()
    if not response.prepared:
        response.headers[REQUEST_ID] = identity
        for name, value in (PUBLIC_HEADERS if scope is Scope.OPEN else PRIVATE_HEADERS).items():
            response.headers.setdefault(name, value)  # pages have a policy of their own
    resource = request.match_info.route.resource
    route = resource.canonical.removesuffix("{slash}") if resource else _UNMATCHED
    request.app[METRICS].note_request(request.method, route, response.status)
    return response


def _check_target(target: str) -> None:
    """Raise `BadRequest` for a target that a proxy may read differently: with a host or a fragment in it."""
    if not target.startswith("/") or "#" in target:
        raise BadRequest("The target of a request has to be a path that begins with /, without a fragment.")


def identity_of(headers: Mapping[str, str]) -> str:
    """Return the id that the client gave, if it can be used, else a new one."""
    given = headers.get(REQUEST_ID)
    if given and _USABLE_ID.fullmatch(given):
        return given
    return new_identity()
