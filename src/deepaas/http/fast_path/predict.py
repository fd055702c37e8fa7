"""Answers small predictions without aiohttp's request and response.

A small request that comes promptly and asks for a prediction, with nothing unusual about it, is answered here
in half of the time. Everything else goes the ordinary way.
"""

import asyncio
import functools
import time
from email.utils import formatdate
from typing import TypeGuard
from urllib.parse import quote

from aiohttp import hdrs, web
from aiohttp.http import SERVER_SOFTWARE, HttpVersion11, RawRequestMessage, StreamWriter
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler

from deepaas.http.auth import Scope
from deepaas.http.browser_security import PRIVATE_HEADERS
from deepaas.http.context import BROWSER_POLICY, IN_FLIGHT_REQUESTS, METRICS, SERVICE, SETTINGS, TOKENS
from deepaas.http.errors import REQUEST_ID_HEADER, RESPONSE_STARTED, error_response
from deepaas.http.fast_path.request import MAX_REQUEST_BYTES, BufferedRequest
from deepaas.http.handlers.models import run_prediction, to_response
from deepaas.http.middleware import get_request_id
from deepaas.http.request_body import parse_arguments
from deepaas.log import request_id
from deepaas.messages import Body
from deepaas.model.arguments import ArgumentSources
from deepaas.scratch import ScratchFolder
from deepaas.service import ServedModel
from deepaas.workers.result_stream import ResultStream

_CLOSE_HEADER = "Connection: close\r\n"
_PRIVATE_HEADER_LINES = "".join(f"{name}: {value}\r\n" for name, value in PRIVATE_HEADERS.items())
_EXCLUDED_HEADERS = (hdrs.EXPECT, hdrs.CONTENT_ENCODING, hdrs.UPGRADE, hdrs.SEC_WEBSOCKET_KEY1)


class FastPath:
    """Finds the predictions that can take the shortcut, and answers them."""

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
            # aiohttp decodes a path before it looks for the model's name in it.
            if quote(name, safe="") == name
        }
        self._max_request_bytes = min(settings.client_max_size or MAX_REQUEST_BYTES, settings.max_memory_body)
        self._max_memory_body = settings.max_memory_body
        self._max_head_bytes = settings.max_header_size
        unusual = (*_EXCLUDED_HEADERS, hdrs.ORIGIN) if settings.cors_origin else _EXCLUDED_HEADERS
        self._excluded_headers = frozenset(name.lower() for name in unusual)

    def match(self, request: BufferedRequest) -> ServedModel | None:
        """Return the model that a request asks for a prediction, if it can take the shortcut."""
        if (
            not request.is_eligible
            or request.size > self._max_request_bytes
            or request.head_size > self._max_head_bytes
        ):
            return None
        if not self._excluded_headers.isdisjoint(request.header_names):
            return None
        # The path as it was sent: to yarl, `//host/path` names a host.
        return self._models_by_path.get(request.path)

    async def handle(
        self, request: BufferedRequest, served_model: ServedModel, connection: RequestHandler
    ) -> None:
        """Answer on the connection, whatever happens."""
        identity = get_request_id(request.headers)
        request_id.set(identity)
        self._in_flight.enter()
        try:
            status = await self._handle(request, served_model, identity, connection)
        finally:
            self._in_flight.exit()
        self._metrics.record_request(hdrs.METH_POST, self._route, status)

    async def _handle(
        self, request: BufferedRequest, served_model: ServedModel, identity: str, connection: RequestHandler
    ) -> int:
        """Write the answer and return its status."""
        try:
            self._browser_policy.check(hdrs.METH_POST, request.headers, connection.transport)
            self._tokens.check(request.headers, Scope.PREDICT)
            async with self._service.create_scratch_folder() as scratch:
                given = await self._parse_arguments(request, served_model, scratch)
                body = await run_prediction(served_model, given, request.headers, scratch)
                if not _is_inline(body):
                    return await _send_with_aiohttp(request, body, identity, connection)
            await _write_response(request, body, identity, connection)
        except ConnectionResetError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is raised becomes JSON with a status
            response = error_response(error)
            await _send_response(_to_aiohttp_request(request, connection), response, identity)
            return response.status
        return 200

    async def _parse_arguments(
        self, request: BufferedRequest, served_model: ServedModel, scratch: ScratchFolder
    ) -> ArgumentSources:
        body = request.body
        if body:
            self._metrics.request_body_bytes.inc(request.size - request.head_size)
        arguments = served_model.model.predict_arguments
        return await parse_arguments(
            request.url.query,
            request.headers,
            body,
            arguments=arguments,
            scratch=scratch,
            max_memory_body=self._max_memory_body,
        )


def _is_inline(body: Body | ResultStream) -> TypeGuard[Body]:
    return isinstance(body, Body) and not (body.path or body.filename) and body.media_type.isprintable()


async def _write_response(
    request: BufferedRequest, body: Body, identity: str, connection: RequestHandler
) -> None:
    """Write an answer that is there, and wait while the client takes in less than it asks for."""
    transport = connection.transport
    if transport is None:
        return
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: {body.media_type}\r\nContent-Length: {len(body.content)}\r\n"
        f"{REQUEST_ID_HEADER}: {identity}\r\n"
        f"Date: {_format_http_date(int(time.time()))}\r\nServer: {SERVER_SOFTWARE}\r\n"
        f"{_PRIVATE_HEADER_LINES}{'' if request.keep_alive else _CLOSE_HEADER}\r\n"
    )
    transport.write(head.encode() + body.content)
    if transport.get_write_buffer_size():
        await StreamWriter(connection, asyncio.get_running_loop()).drain()


async def _send_with_aiohttp(
    request: BufferedRequest, body: Body | ResultStream, identity: str, connection: RequestHandler
) -> int:
    """Send an answer as aiohttp does it. Raise what goes wrong while an error can still be answered."""
    asked = _to_aiohttp_request(request, connection)
    try:
        response = await to_response(asked, body)
        if not response.prepared:
            await _send_response(asked, response, identity)
    except Exception as error:
        if not asked.get(RESPONSE_STARTED):
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


def _to_aiohttp_request(request: BufferedRequest, connection: RequestHandler) -> web.BaseRequest:
    """Return the request as aiohttp's responses want it."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    message = RawRequestMessage(
        method=hdrs.METH_POST,
        path=request.url.raw_path_qs,
        version=HttpVersion11,
        headers=request.headers,
        raw_headers=(),
        should_close=not request.keep_alive,
        compression=None,
        upgrade=False,
        chunked=False,
        url=request.url,
    )
    writer = StreamWriter(connection, loop)
    return web.BaseRequest(message, EMPTY_PAYLOAD, connection, writer, task, loop)  # type: ignore[arg-type]


@functools.lru_cache(maxsize=1)
def _format_http_date(timestamp_s: int) -> str:
    return formatdate(timestamp_s, usegmt=True)
