"""Answers that are sent as they come, and how they end when they cannot be finished."""

import asyncio

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from deepaas.errors import DeepaasError
from deepaas.http.errors import REQUEST_ID, STREAMING, error_response
from deepaas.log import request_id
from deepaas.model.streaming import EVENTS, end_of_item
from deepaas.workers.stream import Stream


async def begin_answer(request: web.BaseRequest, content_type: str) -> web.StreamResponse:
    """Send the head of an answer whose body comes by and by."""
    headers = {
        hdrs.CONTENT_TYPE: content_type,
        hdrs.CACHE_CONTROL: "no-store",
        # nginx passes it on as it comes: https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
        "X-Accel-Buffering": "no",
        REQUEST_ID: request_id.get(),
    }
    response = web.StreamResponse(headers=headers)
    request[STREAMING] = True
    await response.prepare(request)
    return response


async def send_stream(request: web.BaseRequest, stream: Stream) -> web.StreamResponse:
    """Send a prediction as it comes; it is ended when the client leaves."""
    transport = request.transport
    if transport is None:
        stream.close()
        raise ConnectionResetError("The client has left.")
    with stream:
        response = await begin_answer(request, stream.media_type)
        last = b""
        try:
            while chunk := await stream.read():
                last = chunk
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
