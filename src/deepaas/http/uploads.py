"""Reading a request: query, forms, JSON, and uploads that go to disk as they come.

It must not know what a model does with them.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import IO, Any
from urllib.parse import parse_qs

import multipart
import orjson
from aiohttp import web
from multidict import MultiMapping

from deepaas.errors import BadRequest, BodyTooLarge, InvalidArguments, SenderTooSlow
from deepaas.files import Scratch
from deepaas.http.keys import METRICS, SETTINGS
from deepaas.model.arguments import Arguments, Given
from deepaas.model.v2.wrapper import UploadedFile

_LARGE_BYTES = 1 << 20
_SLOWEST_BYTES_S = 500
_LONGEST_TEXT_BYTES = 16 << 20
_ENCODING = "utf-8"
_FORM = "application/x-www-form-urlencoded"


class InvalidJson(BadRequest):
    """A body that says it is JSON and is not."""


async def read_given(request: web.Request, arguments: Arguments, scratch: Scratch) -> Given:
    """Return what the request gives for `arguments`, with its uploads in `scratch`.

    Raise `BadRequest` for what cannot be read, `BodyTooLarge`, and `SenderTooSlow`.
    """
    query, headers = request.query, request.headers
    if not request.body_exists:
        return Given(query=_listed(query), headers=headers)
    settings = request.app[SETTINGS]
    body = _limited(request, settings.client_max_size, settings.body_timeout)
    content_type = request.content_type
    if content_type == "multipart/form-data":
        form = await _Multipart(arguments, scratch).read(headers["Content-Type"], body)
        return Given(_listed(query), form, {}, headers)
    if is_read_whole(content_type):
        return given_of(query, content_type, await _whole(body), headers)
    async for _ in body:
        pass
    return Given(query=_listed(query), headers=headers)


def is_read_whole(content_type: str) -> bool:
    """Say whether a body of this type is read whole; others are read as they come, or passed over."""
    return content_type in (_FORM, "application/json") or content_type.endswith("+json")


def given_of(query: MultiMapping[str], content_type: str, body: bytes, headers: MultiMapping[str]) -> Given:
    """Return what a request gives whose body, of a type that is read whole or empty, is there.

    Raise `BadRequest` or `InvalidArguments` for what cannot be read.
    """
    if not body:
        return Given(query=_listed(query), headers=headers)
    if content_type == _FORM:
        return Given(_listed(query), _urlencoded(body), {}, headers)
    return Given(_listed(query), {}, _json(body), headers)


def _listed(query: MultiMapping[str]) -> dict[str, list[str]]:
    return {key: query.getall(key) for key in query}


async def _limited(request: web.Request, limit_bytes: int, pause_s: float) -> AsyncIterator[bytes]:
    """Yield the body as it comes. Raise `BodyTooLarge` or `SenderTooSlow` as soon as it is."""
    if limit_bytes and (request.content_length or 0) > limit_bytes:
        raise BodyTooLarge(_too_large(limit_bytes))
    received = 0
    loop = asyncio.get_running_loop()
    began = loop.time()
    while chunk := await _chunk(request, pause_s):
        received += len(chunk)
        request.app[METRICS].upload_bytes.inc(len(chunk))
        if loop.time() - began > pause_s + received / _SLOWEST_BYTES_S:
            raise SenderTooSlow(f"The body came with less than {_SLOWEST_BYTES_S} bytes a second.")
        if limit_bytes and received > limit_bytes:
            raise BodyTooLarge(_too_large(limit_bytes))
        yield chunk


async def _chunk(request: web.Request, pause_s: float) -> bytes:
    try:
        async with asyncio.timeout(pause_s):
            return await request.content.readany()
    except web.RequestPayloadError as error:
        raise BadRequest(f"The body cannot be read: {error}.") from error
    except TimeoutError:
        raise SenderTooSlow(f"Nothing more of the body came for {pause_s:g} s (--body-timeout).") from None


def _too_large(limit_bytes: int) -> str:
    return f"The body is larger than this server takes: {limit_bytes} bytes (--client-max-size)."


async def _whole(body: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in body])


def _urlencoded(body: bytes) -> dict[str, list[str]]:
    try:
        return parse_qs(body.decode(_ENCODING), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise BadRequest(f"The form cannot be read: {error}.") from error


def _json(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        found = orjson.loads(body)
    except ValueError as error:
        raise InvalidJson("Invalid JSON body.") from error
    if not isinstance(found, dict):
        raise InvalidArguments({"_schema": ["Invalid input type."]})
    return found


class _Multipart:
    """One multipart body: texts are kept, files are written to disk, the rest is dropped."""

    def __init__(self, arguments: Arguments, scratch: Scratch) -> None:
        self._arguments = arguments
        self._scratch = scratch
        self._form: dict[str, list[Any]] = {}
        self._segment: multipart.MultipartSegment | None = None
        self._file: IO[bytes] | None = None
        self._upload: UploadedFile | None = None
        self._text = bytearray()
        self._is_wanted = False

    async def read(self, content_type: str, body: AsyncIterator[bytes]) -> dict[str, list[Any]]:
        _, options = multipart.parse_options_header(content_type)
        try:
            with multipart.PushMultipartParser(options.get("boundary", "")) as parser:
                async for chunk in body:
                    await self._take(parser, chunk)
        except multipart.MultipartError as error:
            raise BadRequest(f"The multipart/form-data body cannot be read: {error}.") from error
        finally:
            if self._file:
                self._file.close()
        return self._form

    async def _take(self, parser: multipart.PushMultipartParser, chunk: bytes) -> None:
        for event in parser.parse(chunk):
            if isinstance(event, multipart.MultipartSegment):
                self._begin(event)
            elif event is None:
                self._end()
            elif self._file:
                await self._write(self._file, event)
            elif self._upload is None and self._is_wanted:
                self._add_text(event)

    def _add_text(self, content: bytes) -> None:
        self._text += content
        if len(self._text) > _LONGEST_TEXT_BYTES:
            raise BodyTooLarge("A text in a form is too long; send it as a file.")

    def _begin(self, segment: multipart.MultipartSegment) -> None:
        self._segment = segment
        self._text.clear()
        self._upload = None
        self._is_wanted = self._arguments.declares(segment.name)
        if segment.filename is None:
            return
        self._upload = UploadedFile(segment.name, None, segment.content_type, segment.filename)
        # A browser sends a part without a name and content for a file that was not chosen.
        if segment.filename and self._is_wanted:
            path = self._scratch.new_file(segment.filename)
            self._file = path.open("wb", buffering=_LARGE_BYTES)
            self._upload = self._upload._replace(filename=str(path))

    async def _write(self, file: IO[bytes], content: bytes) -> None:
        """Write to disk; once the file is large, without holding up other requests."""
        if file.tell() < _LARGE_BYTES:
            file.write(content)
        else:
            await asyncio.to_thread(file.write, content)

    def _end(self) -> None:
        assert self._segment is not None
        if self._file:
            self._file.close()
            self._file = None
        name = self._segment.name
        if not self._is_wanted:
            return
        if self._upload is None:
            self._form.setdefault(name, []).append(self._decoded(name))
        elif self._upload.filename:
            self._form.setdefault(name, []).append(self._upload)

    def _decoded(self, name: str) -> str:
        try:
            return self._text.decode(_ENCODING)
        except UnicodeDecodeError as error:
            raise BadRequest(f"The part '{name}' is neither a file with a name nor UTF-8 text.") from error
