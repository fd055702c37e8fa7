"""How responses are sent: bodies, files and streams, and how a stream ends that cannot be finished."""

import asyncio
import os
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from deepaas.errors import DeepaasError
from deepaas.http.browser_security import PRIVATE_HEADERS
from deepaas.http.errors import RESPONSE_STARTED, error_response
from deepaas.http.request_id import REQUEST_ID_HEADER
from deepaas.log import get_logger, request_id
from deepaas.messages import Body
from deepaas.model.stream_encoding import EVENT_STREAM, get_item_terminator
from deepaas.workers.result_stream import ResultStream

_FILE_CHUNK_BYTES = 1 << 18
_PREDICTION_CHUNK_BYTES = 1 << 20
_log = get_logger("deepaas.http")


async def to_response(request: web.BaseRequest, body: Body | ResultStream) -> web.StreamResponse:
    """Return the response with a prediction; send a stream or a file at once, before its folder goes."""
    if isinstance(body, ResultStream):
        return await send_stream(request, body)
    headers = PRIVATE_HEADERS | {hdrs.CONTENT_TYPE: body.media_type}
    if body.filename:
        headers[hdrs.CONTENT_DISPOSITION] = f"attachment; filename*=UTF-8''{quote(body.filename, safe='')}"
    if not body.path:
        return web.Response(body=body.content, headers=headers)
    return await _send_file(request, Path(body.path), headers)


async def _send_file(request: web.BaseRequest, path: Path, headers: dict[str, str]) -> web.StreamResponse:
    """Send a file whole: no part of it, nor its age, means anything for what was just predicted."""
    with await asyncio.to_thread(path.open, "rb") as file:
        left = os.fstat(file.fileno()).st_size
        length = {hdrs.CONTENT_LENGTH: str(left)}
        response = web.StreamResponse(headers=headers | length | {REQUEST_ID_HEADER: request_id.get()})
        # A head that cannot be sent is an error that still can be answered.
        await response.prepare(request)
        request[RESPONSE_STARTED] = True
        while left:
            piece = await read_file_chunk(file, min(_PREDICTION_CHUNK_BYTES, left))
            left -= len(piece)
            await response.write(piece)
        await response.write_eof()
    return response


async def start_stream_response(request: web.BaseRequest, content_type: str) -> web.StreamResponse:
    """Send the head of an answer whose body comes by and by."""
    headers = PRIVATE_HEADERS | {
        hdrs.CONTENT_TYPE: content_type,
        # nginx passes it on as it comes: https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
        "X-Accel-Buffering": "no",
        REQUEST_ID_HEADER: request_id.get(),
    }
    response = web.StreamResponse(headers=headers)
    # A head that cannot be sent is an error that still can be answered.
    await response.prepare(request)
    request[RESPONSE_STARTED] = True
    return response


async def send_stream(request: web.BaseRequest, stream: ResultStream) -> web.StreamResponse:
    """Send a prediction as it comes; it is ended when the client leaves."""
    transport = request.transport
    if transport is None:
        stream.close()
        raise ConnectionResetError("The client has left.")
    with stream:
        response = await start_stream_response(request, stream.media_type)
        last = b""
        try:
            while chunk := await stream.read():
                last = chunk
                await response.write(chunk)
            await response.write_eof()
        except DeepaasError as error:
            await _abort_stream(response, transport, error, last)
    return response


async def _abort_stream(
    response: web.StreamResponse, transport: asyncio.Transport, error: DeepaasError, last_chunk: bytes
) -> None:
    """Say what went wrong, where there is room for it, and let nobody take the answer for a whole one.

    An event says by itself that it is an error. Anything else could be one of the model's items, so the
    connection is closed without the end that HTTP asks for. `last_chunk` is what was sent last.
    """
    message = error_response(error).body
    assert isinstance(message, bytes)
    end = get_item_terminator(response.content_type)
    if end is not None and last_chunk.endswith(end):
        if response.content_type == EVENT_STREAM:
            await response.write(b"event: error\ndata: " + message + end)
            await response.write_eof()
            return
        await response.write(message + end)
    transport.close()


class FileResponse(web.FileResponse):
    """A file, never another one, sent to the length that its head gives, or else the connection is closed.

    The file is closed also when the client leaves while it is being opened: aiohttp opens it in a thread, and
    forgets it when the handler is cancelled meanwhile.
    """

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the file; it is sent to its end, or until the connection breaks, whoever waits for it."""
        sending = asyncio.ensure_future(super().prepare(request))
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            sending.add_done_callback(_ignore_broken_connection)
            raise

    def _get_file_path_stat_encoding(self, _: str) -> Any:
        """Find the file itself: aiohttp takes `v.csv.gz` for `v.csv` when the client accepts gzip."""
        return super()._get_file_path_stat_encoding("")

    async def _sendfile(
        self, request: web.BaseRequest, fobj: IO[Any], offset: int, count: int
    ) -> AbstractStreamWriter:
        """Send `count` bytes; aiohttp keeps the connection open when there are fewer by now."""
        writer = await super(web.FileResponse, self).prepare(request)
        assert writer is not None
        fobj.seek(offset)
        while count:
            piece = await read_file_chunk(fobj, min(_FILE_CHUNK_BYTES, count))
            count -= len(piece)
            await self.write(piece)
        return writer


async def read_file_chunk(file: IO[bytes], size: int) -> bytes:
    """Return up to `size` bytes, at least one, of a file whose length was sent; read them in a thread.

    Raise `ConnectionResetError`, with which the connection is closed, when the file has become shorter.
    """
    piece = await asyncio.to_thread(file.read, size)
    if not piece:
        _log.warning("%s became shorter while it was sent; closing the connection", file.name)
        raise ConnectionResetError("The file became shorter while it was sent.")
    return piece


def _ignore_broken_connection(sending: asyncio.Future[AbstractStreamWriter | None]) -> None:
    """Let asyncio log what went wrong after the client left, unless it is that it left.

    asyncio logs an exception that nobody has looked at, and this future has nobody else.
    """
    if sending.cancelled() or isinstance(sending.exception(), ConnectionError):
        return
    sending.result()
