"""Sends responses: buffered bodies, files and streams, including streams that fail."""

import asyncio
import os
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from deepaas.errors import DeepaasError
from deepaas.http.browser_security import PRIVATE_HEADERS
from deepaas.http.error_responses import RESPONSE_STARTED, error_response
from deepaas.http.request_id import REQUEST_ID_HEADER
from deepaas.log import get_logger, request_id
from deepaas.messages import Body
from deepaas.model.stream_encoding import EVENT_STREAM, get_item_terminator
from deepaas.thread_pools import FILES_EXECUTOR, run_in_executor
from deepaas.workers.result_stream import ResultStream

_FILE_CHUNK_BYTES = 1 << 18
_PREDICTION_CHUNK_BYTES = 1 << 20
_log = get_logger("deepaas.http")


async def to_response(request: web.BaseRequest, body: Body | ResultStream) -> web.StreamResponse:
    """Return the response for a prediction; streams and files are sent before their folder is deleted."""
    if isinstance(body, ResultStream):
        return await send_stream(request, body)
    headers = PRIVATE_HEADERS | {hdrs.CONTENT_TYPE: body.media_type}
    if body.filename:
        headers[hdrs.CONTENT_DISPOSITION] = f"attachment; filename*=UTF-8''{quote(body.filename, safe='')}"
    if not body.path:
        return web.Response(body=body.content, headers=headers)
    return await _send_file(request, Path(body.path), headers)


async def _send_file(request: web.BaseRequest, path: Path, headers: dict[str, str]) -> web.StreamResponse:
    """Send the complete file, without ranges or caching: the file belongs to this prediction only."""
    with await run_in_executor(FILES_EXECUTOR, path.open, "rb") as file:
        remaining = os.fstat(file.fileno()).st_size
        response = await _start_response(request, headers | {hdrs.CONTENT_LENGTH: str(remaining)})
        while remaining:
            piece = await read_file_chunk(file, min(_PREDICTION_CHUNK_BYTES, remaining))
            remaining -= len(piece)
            await response.write(piece)
        await response.write_eof()
    return response


async def start_stream_response(request: web.BaseRequest, content_type: str) -> web.StreamResponse:
    """Send the head of a response whose body is written later."""
    headers = PRIVATE_HEADERS | {
        hdrs.CONTENT_TYPE: content_type,
        # Turns off buffering in nginx: https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
        "X-Accel-Buffering": "no",
    }
    return await _start_response(request, headers)


async def _start_response(request: web.BaseRequest, headers: dict[str, str]) -> web.StreamResponse:
    response = web.StreamResponse(headers=headers | {REQUEST_ID_HEADER: request_id.get()})
    # If sending the head fails, an error response is still possible.
    await response.prepare(request)
    request[RESPONSE_STARTED] = True
    return response


async def send_stream(request: web.BaseRequest, stream: ResultStream) -> web.StreamResponse:
    """Send a prediction chunk by chunk; close its stream if the client disconnects."""
    transport = request.transport
    if transport is None:
        stream.close()
        raise ConnectionResetError("The client has disconnected.")
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
    """Send the error between two items, and mark the response as incomplete.

    Server-sent events have an error event. In other formats the error could be an item of the model, so the
    connection is closed without the final chunk of HTTP. `last_chunk` is the last chunk sent.
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
    """Sends exactly this file with the announced length, or closes the connection.

    aiohttp opens the file in a thread, and leaks it if the client disconnects during that; we close it. For
    gzip, it would send `v.csv.gz` instead of `v.csv`:
    https://docs.aiohttp.org/en/stable/web_reference.html#aiohttp.web.FileResponse
    """

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the file, to its end or until the connection breaks, even if the handler is cancelled."""
        sending = asyncio.ensure_future(super().prepare(request))
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            sending.add_done_callback(_ignore_broken_connection)
            raise

    def _get_file_path_stat_encoding(self, _: str) -> Any:
        """Ignore `Accept-Encoding`."""
        return super()._get_file_path_stat_encoding("")

    async def _sendfile(
        self, request: web.BaseRequest, fobj: IO[Any], offset: int, count: int
    ) -> AbstractStreamWriter:
        """Send `count` bytes or raise; aiohttp would keep the connection open if the file became shorter."""
        writer = await super(web.FileResponse, self).prepare(request)
        assert writer is not None
        fobj.seek(offset)
        while count:
            piece = await read_file_chunk(fobj, min(_FILE_CHUNK_BYTES, count))
            count -= len(piece)
            await self.write(piece)
        return writer


async def read_file_chunk(file: IO[bytes], size: int) -> bytes:
    """Return 1 to `size` bytes of a file whose length was already sent; read in a thread.

    Raise `ConnectionResetError`, which closes the connection, if the file has become shorter.
    """
    piece = await run_in_executor(FILES_EXECUTOR, file.read, size)
    if not piece:
        _log.warning("%s became shorter while it was sent; closing the connection", file.name)
        raise ConnectionResetError("The file became shorter while it was sent.")
    return piece


def _ignore_broken_connection(sending: asyncio.Future[AbstractStreamWriter | None]) -> None:
    """Suppress connection errors of a cancelled handler; raise others, so that asyncio logs them."""
    if sending.cancelled() or isinstance(sending.exception(), ConnectionError):
        return
    sending.result()
