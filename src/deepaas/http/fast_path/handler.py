"""Serves small predictions without aiohttp's request and response objects, in half the time.

It handles small, ordinary prediction requests that arrive without delay; aiohttp handles all others.
`--nofast-path` disables it.
"""

import asyncio
import functools
import sys
import time
from email.utils import formatdate
from typing import Protocol, TypeGuard
from urllib.parse import quote

import aiohttp
from aiohttp import hdrs, web

from deepaas.http.auth import Scope
from deepaas.http.browser_security import PRIVATE_HEADERS
from deepaas.http.context import BROWSER_POLICY, IN_FLIGHT_REQUESTS, METRICS, SERVICE, SETTINGS, TOKENS
from deepaas.http.error_responses import RESPONSE_STARTED, error_response
from deepaas.http.fast_path.request import MAX_REQUEST_BYTES, BufferedRequest
from deepaas.http.prediction import run_prediction
from deepaas.http.request_body import ParsedRequest
from deepaas.http.request_id import REQUEST_ID_HEADER, get_request_id
from deepaas.http.responses import to_response
from deepaas.log import request_id
from deepaas.messages import Body
from deepaas.service import ServedModel
from deepaas.workers.result_stream import ResultStream

_CLOSE_HEADER = "Connection: close\r\n"
_SERVER = f"Python/{sys.version_info.major}.{sys.version_info.minor} aiohttp/{aiohttp.__version__}"
"""Same as the `Server` header of aiohttp's responses."""
_PRIVATE_HEADER_LINES = "".join(f"{name}: {value}\r\n" for name, value in PRIVATE_HEADERS.items())
_EXCLUDED_HEADERS = (hdrs.EXPECT, hdrs.CONTENT_ENCODING, hdrs.UPGRADE, hdrs.SEC_WEBSOCKET_KEY1)


class Connection(Protocol):
    """The client connection to which responses are written."""

    transport: asyncio.Transport | None

    async def write(self, response: bytes) -> None:
        """Write a response, and wait while the send buffer is full."""

    def to_aiohttp_request(self, request: BufferedRequest) -> web.BaseRequest:
        """Return the request as an aiohttp request, which aiohttp's responses need."""


class FastPath:
    """Selects the requests that can take the fast path, and responds to them."""

    def __init__(self, app: web.Application) -> None:
        settings = app[SETTINGS]
        models = app[SERVICE].models if settings.predict_endpoint else {}
        below = f"{settings.base_path}/v2/models/"
        self._service = app[SERVICE]
        self._metrics = app[METRICS]
        self._tokens = app[TOKENS]
        self._browser_policy = app[BROWSER_POLICY]
        self._in_flight = app[IN_FLIGHT_REQUESTS]
        self._route = f"{below}{{model}}/predict"
        self._models_by_path = {
            f"{below}{name}/predict{slash}": served
            for name, served in models.items()
            for slash in ("", "/")
            # Names that need percent-encoding are left to aiohttp, which decodes paths.
            if quote(name, safe="") == name
        }
        self._max_request_bytes = min(settings.client_max_size or MAX_REQUEST_BYTES, settings.max_memory_body)
        self._max_memory_body = settings.max_memory_body
        self._max_head_bytes = settings.max_header_size
        unusual = (*_EXCLUDED_HEADERS, hdrs.ORIGIN) if settings.cors_origin else _EXCLUDED_HEADERS
        self._excluded_headers = frozenset(name.lower() for name in unusual)

    def match(self, request: BufferedRequest) -> ServedModel | None:
        """Return the requested model, or `None` if aiohttp must handle the request."""
        if (
            not request.is_eligible
            or request.size > self._max_request_bytes
            or request.head_size > self._max_head_bytes
        ):
            return None
        if not self._excluded_headers.isdisjoint(request.header_names):
            return None
        # Use the raw path: yarl takes `//host/path` for a URL with a host.
        return self._models_by_path.get(request.path)

    async def handle(
        self, request: BufferedRequest, served_model: ServedModel, connection: Connection
    ) -> None:
        """Respond on the connection. Raise `ConnectionResetError` if that fails."""
        identity = get_request_id(request.headers)
        request_id.set(identity)
        with self._in_flight:
            status = await self._handle(request, served_model, identity, connection)
        self._metrics.record_request(hdrs.METH_POST, self._route, status)

    async def _handle(
        self, request: BufferedRequest, served_model: ServedModel, identity: str, connection: Connection
    ) -> int:
        """Write the response and return its status."""
        try:
            self._browser_policy.check(hdrs.METH_POST, request.headers, connection.transport)
            self._tokens.check(request.headers, Scope.PREDICT)
            async with self._service.create_scratch_folder() as scratch:
                body = await run_prediction(served_model, self._to_parsed_request(request), scratch)
                if not _is_inline(body):
                    return await _send_with_aiohttp(request, body, identity, connection)
            await _write_response(request, body, identity, connection)
        except ConnectionResetError:
            raise
        except Exception as error:  # noqa: BLE001 - every exception becomes a JSON error
            response = error_response(error)
            await _send_response(connection.to_aiohttp_request(request), response, identity)
            return response.status
        return 200

    def _to_parsed_request(self, request: BufferedRequest) -> ParsedRequest:
        body = request.body
        if body:
            self._metrics.request_body_bytes.inc(request.size - request.head_size)
        return ParsedRequest(request.url.query, request.headers, body, self._max_memory_body)


def _is_inline(body: Body | ResultStream) -> TypeGuard[Body]:
    return isinstance(body, Body) and not (body.path or body.filename) and body.media_type.isprintable()


async def _write_response(
    request: BufferedRequest, body: Body, identity: str, connection: Connection
) -> None:
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: {body.media_type}\r\nContent-Length: {len(body.content)}\r\n"
        f"{REQUEST_ID_HEADER}: {identity}\r\n"
        f"Date: {_format_http_date(int(time.time()))}\r\nServer: {_SERVER}\r\n"
        f"{_PRIVATE_HEADER_LINES}{'' if request.keep_alive else _CLOSE_HEADER}\r\n"
    )
    await connection.write(head.encode() + body.content)


async def _send_with_aiohttp(
    request: BufferedRequest, body: Body | ResultStream, identity: str, connection: Connection
) -> int:
    """Send a response through aiohttp. Errors after its start abort the connection."""
    aiohttp_request = connection.to_aiohttp_request(request)
    try:
        response = await to_response(aiohttp_request, body)
        if not response.prepared:
            await _send_response(aiohttp_request, response, identity)
    except Exception as error:
        if not aiohttp_request.get(RESPONSE_STARTED):
            raise
        if connection.transport:
            connection.transport.abort()
        raise ConnectionResetError from error
    return response.status


async def _send_response(request: web.BaseRequest, response: web.StreamResponse, identity: str) -> None:
    response.headers.update({REQUEST_ID_HEADER: identity} | PRIVATE_HEADERS)
    await response.prepare(request)
    request[RESPONSE_STARTED] = True
    await response.write_eof()


@functools.lru_cache(maxsize=1)
def _format_http_date(timestamp_s: int) -> str:
    return formatdate(timestamp_s, usegmt=True)
