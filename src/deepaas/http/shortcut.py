"""The shortcut that small predictions take: past aiohttp's routing, its request and its response.

A small request that comes promptly and asks for a prediction, with nothing unusual about it, is answered here
in half of the time. Everything else goes the ordinary way. It must not know how predictions are made.
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

from deepaas.files import Scratch
from deepaas.http.access import Scope
from deepaas.http.browsers import PRIVATE_HEADERS
from deepaas.http.errors import REQUEST_ID, STREAMING, error_response
from deepaas.http.front import identity_of
from deepaas.http.keys import BROWSERS, METRICS, SERVICE, SETTINGS, TOKENS, UNDER_WAY
from deepaas.http.models import prediction, send
from deepaas.http.uploads import given_of
from deepaas.http.whole import LARGEST_BYTES, WholeRequest
from deepaas.log import request_id
from deepaas.messages import Body
from deepaas.model.arguments import Given
from deepaas.service import ServedModel
from deepaas.workers.stream import Stream

_CLOSE = "Connection: close\r\n"
_PRIVATE = "".join(f"{name}: {value}\r\n" for name, value in PRIVATE_HEADERS.items())
_UNUSUAL = (hdrs.EXPECT, hdrs.CONTENT_ENCODING, hdrs.UPGRADE, hdrs.SEC_WEBSOCKET_KEY1)


class Shortcut:
    """Finds the predictions that can take the shortcut, and answers them."""

    def __init__(self, app: web.Application) -> None:
        settings = app[SETTINGS]
        models = app[SERVICE].models if settings.predict_endpoint else {}
        below = f"{settings.base_path}/v2/models/"
        self._service = app[SERVICE]
        self._metrics = app[METRICS]
        self._tokens = app[TOKENS]
        self._browsers = app[BROWSERS]
        self._under_way = app[UNDER_WAY]
        self._route = f"{below}{{model}}/predict"
        self._served = {
            f"{below}{name}/predict{slash}": served
            for name, served in models.items()
            for slash in ("", "/")
            # aiohttp decodes a path before it looks for the model's name in it.
            if quote(name, safe="") == name
        }
        self._largest = min(settings.client_max_size or LARGEST_BYTES, settings.max_memory_body)
        self._max_memory_body = settings.max_memory_body
        self._longest_head = settings.max_header_size
        unusual = (*_UNUSUAL, hdrs.ORIGIN) if settings.cors_origin else _UNUSUAL
        self._unusual = frozenset(name.lower() for name in unusual)

    def find(self, request: WholeRequest) -> ServedModel | None:
        """Return the model that a request asks for a prediction, if it can take the shortcut."""
        if not request.is_usual or request.size > self._largest or request.head_size > self._longest_head:
            return None
        if not self._unusual.isdisjoint(request.names):
            return None
        # The path as it was sent: to yarl, `//host/path` names a host.
        return self._served.get(request.path)

    async def answer(self, request: WholeRequest, served: ServedModel, connection: RequestHandler) -> None:
        """Answer on the connection, whatever happens."""
        identity = identity_of(request.headers)
        request_id.set(identity)
        self._under_way.begin()
        try:
            status = await self._answer(request, served, identity, connection)
        finally:
            self._under_way.end()
        self._metrics.note_request(hdrs.METH_POST, self._route, status)

    async def _answer(
        self, request: WholeRequest, served: ServedModel, identity: str, connection: RequestHandler
    ) -> int:
        """Write the answer and return its status."""
        try:
            self._browsers.check(hdrs.METH_POST, request.headers, connection.transport)
            self._tokens.check(request.headers, Scope.PREDICT)
            async with self._service.scratch() as scratch:
                given = await self._given(request, served, scratch)
                body = await prediction(served, given, request.headers, scratch)
                if not _is_plain(body):
                    return await _send(request, body, identity, connection)
            await _write(request, body, identity, connection)
        except ConnectionResetError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is raised becomes JSON with a status
            response = error_response(error)
            await _respond(_as_aiohttp(request, connection), response, identity)
            return response.status
        return 200

    async def _given(self, request: WholeRequest, served: ServedModel, scratch: Scratch) -> Given:
        body = request.body
        if body:
            self._metrics.upload_bytes.inc(request.size - request.head_size)
        arguments = served.model.predict_arguments
        return await given_of(
            request.url.query,
            request.headers,
            body,
            arguments=arguments,
            scratch=scratch,
            max_memory_body=self._max_memory_body,
        )


def _is_plain(body: Body | Stream) -> TypeGuard[Body]:
    return isinstance(body, Body) and not (body.path or body.filename) and body.media_type.isprintable()


async def _write(request: WholeRequest, body: Body, identity: str, connection: RequestHandler) -> None:
    """Write an answer that is there, and wait while the client takes in less than it asks for."""
    transport = connection.transport
    if transport is None:
        return
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: {body.media_type}\r\nContent-Length: {len(body.content)}\r\n"
        f"{REQUEST_ID}: {identity}\r\nDate: {_date(int(time.time()))}\r\nServer: {SERVER_SOFTWARE}\r\n"
        f"{_PRIVATE}{'' if request.keeps_alive else _CLOSE}\r\n"
    )
    transport.write(head.encode() + body.content)
    if transport.get_write_buffer_size():
        await StreamWriter(connection, asyncio.get_running_loop()).drain()


async def _send(request: WholeRequest, body: Body | Stream, identity: str, connection: RequestHandler) -> int:
    """Send an answer as aiohttp does it. Raise what goes wrong while an error can still be answered."""
    asked = _as_aiohttp(request, connection)
    try:
        response = await send(asked, body)
        if not response.prepared:
            await _respond(asked, response, identity)
    except Exception as error:
        if not asked.get(STREAMING):
            raise
        if connection.transport:
            connection.transport.abort()
        raise ConnectionResetError from error
    return response.status


async def _respond(request: web.BaseRequest, response: web.StreamResponse, identity: str) -> None:
    response.headers.update({REQUEST_ID: identity} | PRIVATE_HEADERS)
    await response.prepare(request)
    request[STREAMING] = True
    await response.write_eof()


def _as_aiohttp(request: WholeRequest, connection: RequestHandler) -> web.BaseRequest:
    """Return the request as aiohttp's responses want it."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    message = RawRequestMessage(
        method=hdrs.METH_POST,
        path=request.url.raw_path_qs,
        version=HttpVersion11,
        headers=request.headers,
        raw_headers=(),
        should_close=not request.keeps_alive,
        compression=None,
        upgrade=False,
        chunked=False,
        url=request.url,
    )
    writer = StreamWriter(connection, loop)
    return web.BaseRequest(message, EMPTY_PAYLOAD, connection, writer, task, loop)  # type: ignore[arg-type]


@functools.lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
