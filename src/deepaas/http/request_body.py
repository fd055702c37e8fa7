"""Parses a request: its query, and its body as JSON, a form, or a form with files."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from aiohttp import hdrs, web
from multidict import MultiMapping

from deepaas.errors import BadRequest, PayloadTooLarge, RequestTimeout
from deepaas.http.content_encoding import decompress, is_compressed
from deepaas.http.context import METRICS, SETTINGS
from deepaas.http.multipart_form import MultipartReader, too_large_for_memory
from deepaas.http.urlencoded_form import parse_form
from deepaas.model.arguments import Arguments, ArgumentSources, read_json
from deepaas.model.json_encoding import loads_in_steps
from deepaas.scratch import UploadFolder
from deepaas.thread_pools import run_by_size

MIN_BYTES_PER_SECOND = 500
_MAX_PARSED_JSON_BYTES = 1 << 20
"""Parsing JSON of this size holds the GIL for 5 ms. Larger JSON is parsed in a worker or in steps."""


class ParsedRequest(NamedTuple):
    """A request whose head has been read, by aiohttp or by the fast path.

    `body` is a list if it is complete, or an iterator of chunks. At most `max_memory_body` bytes of it are
    kept in memory, excluding files.
    """

    query: MultiMapping[str]
    headers: MultiMapping[str]
    body: list[bytes] | AsyncIterator[bytes]
    max_memory_body: int


def parse_request(request: web.Request) -> ParsedRequest:
    """Return the parsed head of an aiohttp request; the body is decompressed, and limited in size and speed.

    Iterating the body raises `BadRequest`, `PayloadTooLarge`, `UnsupportedEncoding` and `RequestTimeout`.
    """
    settings = request.app[SETTINGS]
    body: list[bytes] | AsyncIterator[bytes] = []
    if request.body_exists:
        received = _iterate_received(request, settings.client_max_size, settings.body_timeout)
        if is_compressed(request.headers.get(hdrs.CONTENT_ENCODING, "")):
            received = decompress(received)
        body = _iterate_limited(received, settings.client_max_size)
    return ParsedRequest(request.query, request.headers, body, settings.max_memory_body)


async def collect_arguments(arguments: Arguments, sources: ArgumentSources) -> dict[str, Any]:
    """Return the raw value of each argument in the request; large requests are read in a thread."""
    return await run_by_size(sources.size_bytes, arguments.collect, sources)


async def collect_arguments_and_json(arguments: Arguments, sources: ArgumentSources) -> dict[str, Any]:
    """Like `collect_arguments`, but also parse large JSON, in a thread and in steps that release the GIL."""
    if sources.raw_json:
        json = await run_by_size(sources.size_bytes, read_json, sources.raw_json, loads_in_steps)
        sources = sources._replace(json=json, raw_json=b"")
    return await collect_arguments(arguments, sources)


async def read_argument_sources(
    parsed: ParsedRequest, arguments: Arguments, upload_folder: UploadFolder
) -> ArgumentSources:
    """Read the body, and return the values for `arguments` from each part of the request.

    Uploads are written to `upload_folder`. Raise `BadRequest` for a body that cannot be parsed; errors of
    iterating it pass through.
    """
    query, headers, body, max_memory_body = parsed
    form: dict[str, list[Any]] = {}
    json: dict[str, Any] = {}
    content_type = read_media_type(headers)
    unread_json = b""
    size_bytes = 0
    if not body:
        pass
    elif content_type == "multipart/form-data":
        pieces = _iterate_chunks(body) if isinstance(body, list) else body
        reader = MultipartReader(arguments, upload_folder, max_memory_body)
        form = await reader.read(headers[hdrs.CONTENT_TYPE], pieces)
        size_bytes = reader.memory_bytes
    elif content_type == "application/x-www-form-urlencoded":
        content = await _join_chunks(body, max_memory_body)
        size_bytes = len(content)
        form = await run_by_size(size_bytes, parse_form, content)
    elif content_type == "application/json" or content_type.endswith("+json"):
        content = await _join_chunks(body, max_memory_body)
        size_bytes = len(content)
        if size_bytes > _MAX_PARSED_JSON_BYTES:
            unread_json = content
        else:
            json = await run_by_size(size_bytes, read_json, content)
    elif not isinstance(body, list):
        async for _ in body:
            pass
    return ArgumentSources(
        {key: query.getall(key) for key in query}, form, json, headers, unread_json, size_bytes
    )


def read_media_type(headers: MultiMapping[str]) -> str:
    """Return the media type of the body, lower case and without parameters; empty if missing or invalid."""
    media_type = headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
    return media_type if media_type.count("/") == 1 else ""


async def _iterate_chunks(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for piece in chunks:
        yield piece


async def _iterate_received(request: web.Request, limit_bytes: int, timeout_s: float) -> AsyncIterator[bytes]:
    """Yield chunks as they arrive. Raise `PayloadTooLarge` by Content-Length, `RequestTimeout` if slow."""
    if limit_bytes and (request.content_length or 0) > limit_bytes:
        raise PayloadTooLarge(_format_too_large(limit_bytes))
    received = 0
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    while chunk := await _read_chunk(request, timeout_s):
        received += len(chunk)
        request.app[METRICS].request_body_bytes.inc(len(chunk))
        if loop.time() - start_s > timeout_s + received / MIN_BYTES_PER_SECOND:
            raise RequestTimeout(f"The body arrived at less than {MIN_BYTES_PER_SECOND} bytes per second.")
        yield chunk


async def _iterate_limited(body: AsyncIterator[bytes], limit_bytes: int) -> AsyncIterator[bytes]:
    """Yield the decompressed body. Raise `PayloadTooLarge` once it exceeds the limit."""
    size = 0
    async for chunk in body:
        size += len(chunk)
        if limit_bytes and size > limit_bytes:
            raise PayloadTooLarge(_format_too_large(limit_bytes))
        yield chunk


async def _read_chunk(request: web.Request, timeout_s: float) -> bytes:
    try:
        async with asyncio.timeout(timeout_s):
            return await request.content.readany()
    except web.RequestPayloadError as error:
        raise BadRequest(f"The body cannot be read: {error}.") from error
    except TimeoutError:
        raise RequestTimeout(f"No data of the body arrived for {timeout_s:g} s (--body-timeout).") from None


def _format_too_large(limit_bytes: int) -> str:
    return f"The body exceeds the limit of {limit_bytes} bytes (--client-max-size)."


async def _join_chunks(body: list[bytes] | AsyncIterator[bytes], limit_bytes: int) -> bytes:
    """Return the complete body. Raise `PayloadTooLarge` for an iterator of more than `limit_bytes`."""
    if isinstance(body, list):
        return b"".join(body)
    pieces, size = [], 0
    async for piece in body:
        size += len(piece)
        if size > limit_bytes:
            raise too_large_for_memory(limit_bytes)
        pieces.append(piece)
    return b"".join(pieces)
