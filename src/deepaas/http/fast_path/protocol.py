"""Protocol of a client connection: the fast path first, then aiohttp; timeouts of both.

Only this file uses undocumented parts of aiohttp, which any release may change
(https://github.com/aio-libs/aiohttp/issues/724). The tests run with the oldest and the newest aiohttp that
`pyproject.toml` allows.
"""

import asyncio
from typing import Any

from aiohttp import hdrs, web
from aiohttp.http import HttpVersion11, RawRequestMessage, StreamWriter
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler

from deepaas.config.settings import Settings
from deepaas.http.error_responses import json_response
from deepaas.http.fast_path.handler import FastPath
from deepaas.http.fast_path.request import BufferedRequest
from deepaas.http.request_body import MIN_BYTES_PER_SECOND
from deepaas.http.request_id import REQUEST_ID_HEADER, generate_request_id
from deepaas.log import get_logger
from deepaas.service import ServedModel

_log = get_logger("deepaas.http")
_MAX_PIPELINED_BYTES = 1 << 16
_FAST_PATH_TIMEOUT_S = 0.1
_READ_BUFFER_BYTES = 1 << 18


class FastPathProtocol(RequestHandler):
    """A connection whose requests take the fast path until one cannot; from then on aiohttp handles all.

    Without `fast_path`, aiohttp handles all requests.
    """

    __slots__ = (
        "_fast_path",
        "_idle_limit_s",
        "_idle_since",
        "_is_closing",
        "_partial_request",
        "_pipelined",
        "_response_task",
        "_settings",
        "_slow_reader_timer",
        "_timer",
        "_unsent_bytes",
    )

    def __init__(
        self,
        server: web.Server,
        loop: asyncio.AbstractEventLoop,
        settings: Settings,
        fast_path: FastPath | None,
    ) -> None:
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # None disables the access log
            keepalive_timeout=settings.keepalive_timeout,
            max_line_size=settings.max_header_size,
            max_field_size=settings.max_header_size,
            read_bufsize=_READ_BUFFER_BYTES,
            auto_decompress=False,  # aiohttp would do it in the event loop, before our limits apply
        )
        self._settings = settings
        self._fast_path = fast_path
        self._response_task: asyncio.Task[None] | None = None
        self._partial_request: BufferedRequest | None = None
        self._pipelined = bytearray()
        self._is_closing = False
        self._idle_since = 0.0
        self._idle_limit_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._unsent_bytes = 0
        self._slow_reader_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the timeout for the first request."""
        super().connection_made(transport)
        self.keep_alive(False)  # noqa: FBT003 - aiohttp's signature; its first response sets this again
        self._idle_since, self._idle_limit_s = self._loop.time(), self._settings.header_timeout
        self._arm_timeout(min(self._settings.header_timeout, self._settings.keepalive_timeout))

    def connection_lost(self, exc: BaseException | None) -> None:
        """Cancel the timers and the response in progress."""
        self._disarm_timeout()
        self._disarm_slow_reader_timer()
        if self._response_task:
            self._response_task.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the slow-reader timer, because the send buffers are full."""
        super().pause_writing()
        self._arm_slow_reader_timer()

    def resume_writing(self) -> None:
        """Stop the slow-reader timer, because the client has read enough."""
        self._disarm_slow_reader_timer()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Feed the fast path or aiohttp; buffer pipelined requests while a response is in progress."""
        if self._fast_path is None:
            super().data_received(data)
        elif self._response_task:
            self._pipelined += data
            if len(self._pipelined) > _MAX_PIPELINED_BYTES and self.transport:
                self.transport.pause_reading()
        elif not self._is_closing:
            self._feed(self._fast_path, data)

    def close(self) -> None:
        """Close the connection after the response in progress."""
        self._is_closing = True
        if self._fast_path is None:
            super().close()
        elif not self._response_task:
            self.force_close()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's signature
        """Cancel the fast path's response; give aiohttp's handler up to `timeout` seconds; then close."""
        if self._response_task:
            self._response_task.cancel()
        await super().shutdown(timeout)

    def on_request_received(self) -> None:
        """Stop our timeout: aiohttp has received a request and times later ones itself."""
        self._disarm_timeout()

    def handle_error(
        self,
        request: Any,  # noqa: ARG002 - aiohttp's signature
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002 - aiohttp's signature
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the response to a request that aiohttp could not parse."""
        response = json_response({"message": (message or "The request cannot be read.").strip()}, status)
        response.headers[REQUEST_ID_HEADER] = generate_request_id()
        response.force_close()
        return response

    async def write(self, response: bytes) -> None:
        """Write a response, and wait while the send buffer is full."""
        transport = self.transport
        if transport is None:
            return
        transport.write(response)
        if transport.get_write_buffer_size():
            await StreamWriter(self, self._loop).drain()

    def to_aiohttp_request(self, request: BufferedRequest) -> web.BaseRequest:
        """Return the request as an aiohttp request, which aiohttp's responses need."""
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
        writer, task = StreamWriter(self, self._loop), asyncio.current_task()
        return web.BaseRequest(message, EMPTY_PAYLOAD, self, writer, task, self._loop)  # type: ignore[arg-type]

    def _feed(self, fast_path: FastPath, data: bytes) -> None:
        """Add data to the current request, and start the response when the request is complete."""
        request = self._partial_request or BufferedRequest()
        request.feed(data)
        served = fast_path.match(request)
        if served is None:
            self._hand_over_to_aiohttp(request)
        elif request.is_complete:
            self._partial_request = None
            self._response_task = asyncio.create_task(self._serve_request(fast_path, request, served))
        elif self._partial_request is None:
            self._partial_request = request
            self._arm_timeout(_FAST_PATH_TIMEOUT_S)

    def _hand_over_to_aiohttp(self, request: BufferedRequest) -> None:
        """Let aiohttp handle the connection, starting with the data received of this request."""
        self._fast_path = self._partial_request = None
        self._arm_timeout(self._settings.header_timeout)
        super().data_received(b"".join(request.chunks))

    async def _serve_request(
        self, fast_path: FastPath, request: BufferedRequest, served_model: ServedModel
    ) -> None:
        try:
            await fast_path.handle(request, served_model, self)
        except ConnectionResetError:
            self.force_close()
            return
        except Exception:  # noqa: BLE001 - close the connection, or the client would wait forever
            _log.exception("Request failed; closing the connection")
            self.force_close()
            return
        finally:
            self._response_task = None
        self._idle_since, self._idle_limit_s = self._loop.time(), self._settings.keepalive_timeout
        if self._is_closing or not request.keep_alive:
            self.force_close()
        elif self._pipelined and self.transport:
            early, self._pipelined = bytes(self._pipelined), bytearray()
            self.transport.resume_reading()
            self.data_received(early)

    def _arm_slow_reader_timer(self) -> None:
        if self.transport:
            self._unsent_bytes = self.transport.get_write_buffer_size()
            self._slow_reader_timer = self._loop.call_later(
                self._settings.body_timeout, self._on_slow_reader_timeout
            )

    def _disarm_slow_reader_timer(self) -> None:
        if self._slow_reader_timer:
            self._slow_reader_timer.cancel()
            self._slow_reader_timer = None

    def _on_slow_reader_timeout(self) -> None:
        """Disconnect a client that reads less than 500 bytes per second: a worker or a file may wait for it.

        While writing is paused, the send buffer only shrinks.
        """
        if self.transport is None:
            return
        read_bytes = self._unsent_bytes - self.transport.get_write_buffer_size()
        if read_bytes < self._settings.body_timeout * MIN_BYTES_PER_SECOND:
            _log.info(
                "Disconnecting a client that reads less than %d bytes per second (--body-timeout)",
                MIN_BYTES_PER_SECOND,
            )
            self.transport.abort()
        else:
            self._arm_slow_reader_timer()

    def _arm_timeout(self, timeout_s: float) -> None:
        self._disarm_timeout()
        self._timer = self._loop.call_later(timeout_s, self._on_timeout)

    def _disarm_timeout(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _on_timeout(self) -> None:
        """Hand an incomplete request to aiohttp; close a connection that has been idle for too long."""
        left_s = self._idle_since + self._idle_limit_s - self._loop.time()
        if self._partial_request:
            self._hand_over_to_aiohttp(self._partial_request)
        elif self._response_task:
            self._arm_timeout(self._idle_limit_s)
        elif self._fast_path and left_s > 0:
            self._arm_timeout(left_s)
        else:
            self.force_close()
