"""Answers that are sent as they come, and how they end when they cannot be finished."""

import asyncio
from typing import Self

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from deepaas.errors import DeepaasError
from deepaas.http.browsers import PRIVATE_HEADERS
from deepaas.http.errors import REQUEST_ID, STREAMING, error_response
from deepaas.http.uploads import SLOWEST_BYTES_S
from deepaas.log import get_logger, request_id
from deepaas.model.streaming import EVENTS, end_of_item
from deepaas.workers.stream import Stream

_log = get_logger("deepaas.http")


async def begin_answer(request: web.BaseRequest, content_type: str) -> web.StreamResponse:
    """Send the head of an answer whose body comes by and by."""
    headers = PRIVATE_HEADERS | {
        hdrs.CONTENT_TYPE: content_type,
        # nginx passes it on as it comes: https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
        "X-Accel-Buffering": "no",
        REQUEST_ID: request_id.get(),
    }
    response = web.StreamResponse(headers=headers)
    request[STREAMING] = True
    await response.prepare(request)
    return response


async def send_stream(request: web.BaseRequest, stream: Stream, pause_s: float) -> web.StreamResponse:
    """Send a prediction as it comes; it is ended when the client leaves, or reads nothing for `pause_s`."""
    transport = request.transport
    if transport is None:
        stream.close()
        raise ConnectionResetError("The client has left.")
    with stream, Pace(transport, pause_s) as pace:
        response = await begin_answer(request, stream.media_type)
        last = b""
        try:
            while chunk := await stream.read():
                last = chunk
                pace.sent_bytes += len(chunk)
                await response.write(chunk)
            await response.write_eof()
        except DeepaasError as error:
            await _break_off(response, transport, error, last)
    return response


async def _break_off(
    response: web.StreamResponse, transport: asyncio.Transport, error: DeepaasError, last: bytes
) -> None:
    """Say what went wrong, where there is room for it, and let nobody take the answer for a whole one.

    An event says by itself that it is an error. Anything else could be one of the model's items, so the
    connection is closed without the end that HTTP asks for. `last` is what was sent last.
    """
    message = error_response(error).body
    assert isinstance(message, bytes)
    end = end_of_item(response.content_type)
    if end is not None and last.endswith(end):
        if response.content_type == EVENTS:
            await response.write(b"event: error\ndata: " + message + end)
            await response.write_eof()
            return
        await response.write(message + end)
    transport.close()


class FileResponse(web.FileResponse):
    """A file, which is closed also when the client leaves while it is being opened.

    aiohttp opens it in a thread, and forgets it when the handler is cancelled meanwhile.
    """

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the file; it is sent to its end, or until the connection breaks, whoever waits for it."""
        sending = asyncio.ensure_future(super().prepare(request))
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            sending.add_done_callback(_ignore_broken_connection)
            raise


def _ignore_broken_connection(sending: asyncio.Future[AbstractStreamWriter | None]) -> None:
    """Let asyncio log what went wrong after the client left, unless it is that it left.

    asyncio logs an exception that nobody has looked at, and this future has nobody else.
    """
    if sending.cancelled() or isinstance(sending.exception(), ConnectionError):
        return
    sending.result()


class Pace:
    """Cuts off a client that takes less than 500 bytes a second of what it is sent: a worker waits for it.

    Use it as a context manager. `sent_bytes` is kept by whoever sends.
    """

    def __init__(self, transport: asyncio.Transport, pause_s: float) -> None:
        self.sent_bytes = 0
        self._transport = transport
        self._pause_s = pause_s
        self._sent_before_bytes = 0
        self._taken_before_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer:
            self._timer.cancel()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._pause_s, self._look)

    def _look(self) -> None:
        """Look whether the client has taken what was there to be taken when this was last looked at."""
        taken_bytes = self.sent_bytes - self._transport.get_write_buffer_size()
        is_behind = taken_bytes < self._sent_before_bytes
        if is_behind and taken_bytes - self._taken_before_bytes < self._pause_s * SLOWEST_BYTES_S:
            _log.info("A client that did not read its prediction is cut off (--body-timeout)")
            self._transport.abort()
            return
        self._sent_before_bytes, self._taken_before_bytes = self.sent_bytes, taken_bytes
        self._wait()
