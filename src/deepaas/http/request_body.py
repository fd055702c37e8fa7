"""Reading a request: query, forms, JSON, and uploads that go to disk as they come."""

import asyncio
import codecs
import contextlib
import functools
from collections.abc import AsyncIterator
from typing import IO, Any

import multipart
from aiohttp import hdrs, web
from multidict import MultiMapping

from deepaas.errors import BadRequest, PayloadTooLarge, RequestTimeout
from deepaas.http.content_encoding import decompress, is_compressed
from deepaas.http.context import METRICS, SETTINGS
from deepaas.http.form_part import HEADER_CHARSET, ContentDecoder, create_decoder, read_part_names
from deepaas.http.urlencoded_form import parse_form
from deepaas.model.arguments import Arguments, ArgumentSources, read_json
from deepaas.model.json_encoding import loads_in_steps
from deepaas.model.v2.wrapper import UploadedFile
from deepaas.private_files import open_file
from deepaas.scratch import SMALL_FILE_BYTES, ScratchFolder
from deepaas.thread_pools import run_by_size

MIN_BYTES_PER_SECOND = 500
_MAX_PARSED_JSON_BYTES = 1 << 20
"""The interpreter lets no other thread run while it parses JSON, which takes 5 ms for this much."""
_MAX_PARTS = 10_000
_PARTS_PER_YIELD = 32
_MAX_MERGED_BYTES = 1 << 12
_DEFAULT_CHARSET = "utf-8"
# Encodings of Python that are no charsets; some of them take very long, others are no text.
_NON_TEXT_CODECS = {
    *("punycode", "idna", "undefined", "unicode-escape", "raw-unicode-escape", "rot13"),
    *("base64", "bz2", "hex", "quopri", "uu", "zlib"),
}
_CHARSET_FIELD = "_charset_"
"""The part in which a form may say the charset of its texts:
https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#naming-form-controls:-the-name-attribute"""


async def read_arguments(
    request: web.Request, arguments: Arguments, scratch: ScratchFolder
) -> ArgumentSources:
    """Return what the request gives for `arguments`, with its uploads in `scratch`.

    Raise `BadRequest` for what cannot be read, `PayloadTooLarge`, `UnsupportedEncoding` and `RequestTimeout`.
    """
    settings = request.app[SETTINGS]
    body: list[bytes] | AsyncIterator[bytes] = []
    if request.body_exists:
        received = _iterate_received(request, settings.client_max_size, settings.body_timeout)
        if is_compressed(request.headers.get(hdrs.CONTENT_ENCODING, "")):
            received = decompress(received)
        body = _iterate_limited(received, settings.client_max_size)
    return await parse_arguments(
        request.query,
        request.headers,
        body,
        arguments=arguments,
        scratch=scratch,
        max_memory_body=settings.max_memory_body,
    )


async def collect_arguments(arguments: Arguments, sources: ArgumentSources) -> dict[str, Any]:
    """Return the raw value of each argument that was given."""
    return await run_by_size(sources.size_bytes, arguments.collect, sources)


async def collect_arguments_and_json(arguments: Arguments, sources: ArgumentSources) -> dict[str, Any]:
    """Do the same; also read JSON that is so large that others must be answered meanwhile."""
    if sources.raw_json:
        json = await run_by_size(sources.size_bytes, read_json, sources.raw_json, loads_in_steps)
        sources = sources._replace(json=json, raw_json=b"")
    return await collect_arguments(arguments, sources)


async def parse_arguments(
    query: MultiMapping[str],
    headers: MultiMapping[str],
    body: list[bytes] | AsyncIterator[bytes],
    *,
    arguments: Arguments,
    scratch: ScratchFolder,
    max_memory_body: int,
) -> ArgumentSources:
    """Return what the parts of a request give for `arguments`, with its uploads in `scratch`.

    `body` is what there is of it, or comes by and by. Raise `BadRequest` for what cannot be read, and what
    `body` raises.
    """
    form: dict[str, list[Any]] = {}
    json: dict[str, Any] = {}
    content_type = read_media_type(headers)
    unread_json = b""
    size_bytes = 0
    if not body:
        pass
    elif content_type == "multipart/form-data":
        pieces = _iterate_chunks(body) if isinstance(body, list) else body
        reader = _MultipartReader(arguments, scratch, max_memory_body)
        form = await reader.read(headers[hdrs.CONTENT_TYPE], pieces)
        size_bytes = reader.memory_bytes
    elif content_type == "application/x-www-form-urlencoded":
        whole = await _join_chunks(body, max_memory_body)
        size_bytes = len(whole)
        form = await run_by_size(size_bytes, parse_form, whole)
    elif content_type == "application/json" or content_type.endswith("+json"):
        whole = await _join_chunks(body, max_memory_body)
        size_bytes = len(whole)
        if size_bytes > _MAX_PARSED_JSON_BYTES:
            unread_json = whole
        else:
            json = await run_by_size(size_bytes, read_json, whole)
    else:
        await _discard(body)
    return ArgumentSources(
        {key: query.getall(key) for key in query}, form, json, headers, unread_json, size_bytes
    )


def read_media_type(headers: MultiMapping[str]) -> str:
    """Return the media type of a request's body, without its parameters; empty when there is no valid one."""
    media_type = headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
    return media_type if media_type.count("/") == 1 else ""


async def _iterate_chunks(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for piece in chunks:
        yield piece


async def _discard(body: list[bytes] | AsyncIterator[bytes]) -> None:
    if not isinstance(body, list):
        async for _ in body:
            pass


async def _iterate_received(request: web.Request, limit_bytes: int, timeout_s: float) -> AsyncIterator[bytes]:
    """Yield the body as it comes. Raise `PayloadTooLarge` or `RequestTimeout` as soon as it is."""
    if limit_bytes and (request.content_length or 0) > limit_bytes:
        raise PayloadTooLarge(_format_too_large(limit_bytes))
    received = 0
    loop = asyncio.get_running_loop()
    began = loop.time()
    while chunk := await _read_chunk(request, timeout_s):
        received += len(chunk)
        request.app[METRICS].request_body_bytes.inc(len(chunk))
        if loop.time() - began > timeout_s + received / MIN_BYTES_PER_SECOND:
            raise RequestTimeout(f"The body came with less than {MIN_BYTES_PER_SECOND} bytes a second.")
        yield chunk


async def _iterate_limited(body: AsyncIterator[bytes], limit_bytes: int) -> AsyncIterator[bytes]:
    """Yield a decompressed body. Raise `PayloadTooLarge` as soon as it is."""
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
        raise RequestTimeout(f"Nothing more of the body came for {timeout_s:g} s (--body-timeout).") from None


def _format_too_large(limit_bytes: int) -> str:
    return f"The body is larger than this server takes: {limit_bytes} bytes (--client-max-size)."


def _format_too_large_for_memory(limit_bytes: int) -> str:
    return (
        f"The JSON, or the texts of the form, have more than {limit_bytes} bytes (--max-memory-body). "
        "Send large content as a file in multipart/form-data."
    )


async def _join_chunks(body: list[bytes] | AsyncIterator[bytes], limit_bytes: int) -> bytes:
    """Return a body that has to be in memory. Raise `PayloadTooLarge`."""
    if isinstance(body, list):
        return b"".join(body)
    pieces, size = [], 0
    async for piece in body:
        size += len(piece)
        if size > limit_bytes:
            raise PayloadTooLarge(_format_too_large_for_memory(limit_bytes))
        pieces.append(piece)
    return b"".join(pieces)


def _write(file: IO[bytes], chunks: list[bytes | bytearray], *, is_last: bool) -> None:
    file.writelines(chunks)
    if is_last:
        file.close()


def _close_quietly(file: IO[bytes], _: BaseException | None = None) -> None:
    """Close a file that nobody wants, which may not be as easy on a full disk."""
    with contextlib.suppress(OSError):
        file.close()


class _MultipartReader:
    """One multipart body: texts are kept, files are written to the scratch folder, the rest is dropped.

    A file is written when it is whole, or when it turns out to be large, and from then on as it comes.
    """

    def __init__(self, arguments: Arguments, scratch: ScratchFolder, max_memory_body: int) -> None:
        self.memory_bytes = 0
        self._max_memory_body = max_memory_body
        self._arguments = arguments
        self._scratch = scratch
        self._form: dict[str, list[Any]] = {}
        self._name = ""
        self._charset = ""
        self._form_charset = _DEFAULT_CHARSET
        self._decoder: ContentDecoder | None = None
        self._file: IO[bytes] | None = None
        self._pending_write: asyncio.Future[None] | None = None
        self._upload: UploadedFile | None = None
        self._chunks: list[bytes | bytearray] = []
        self._chunks_bytes = 0
        self._is_accepted = False
        self._part_count = 0

    async def read(self, content_type: str, body: AsyncIterator[bytes]) -> dict[str, list[Any]]:
        _, options = multipart.parse_options_header(content_type)
        try:
            boundary = options.get("boundary", "")
            with multipart.PushMultipartParser(boundary, header_charset=HEADER_CHARSET) as parser:
                async for chunk in body:
                    await self._feed(parser, chunk)
        except multipart.MultipartError as error:
            raise BadRequest(f"The multipart/form-data body cannot be read: {error}.") from error
        finally:
            if self._file:
                await self._abort_file(self._file)
        return self._form

    async def _feed(self, parser: multipart.PushMultipartParser, chunk: bytes) -> None:
        for event in parser.parse(chunk):
            if isinstance(event, multipart.MultipartSegment):
                self._start_part(event)
            elif event is None:
                await self._finish_part()
                self._part_count += 1
                if self._part_count > _MAX_PARTS:
                    raise PayloadTooLarge(f"The form has more than {_MAX_PARTS} parts.")
                if self._part_count % _PARTS_PER_YIELD == 0:
                    await asyncio.sleep(0)
            elif self._is_accepted:
                await self._add_content(event)

    def _start_part(self, segment: multipart.MultipartSegment) -> None:
        self._name, filename = read_part_names(segment)
        self._charset = segment.charset or self._form_charset
        self._chunks, self._chunks_bytes = [], 0
        self._upload = None
        self._is_accepted = self._arguments.has_argument(self._name) or self._name == _CHARSET_FIELD
        self._decoder = create_decoder(segment) if self._is_accepted else None
        if filename is None:
            return
        self._upload = UploadedFile(self._name, None, segment.content_type, filename)
        # A browser sends a part without a name and content for a file that was not chosen.
        self._is_accepted = self._arguments.has_argument(self._name) and bool(filename)

    async def _add_content(self, content: bytes) -> None:
        """Keep a piece of a text or of a small file; write that of a large one without holding up others."""
        self._append_chunk(self._decode_content(content) if self._decoder else content)
        if self._upload is None:
            if self.memory_bytes + self._chunks_bytes > self._max_memory_body:
                raise PayloadTooLarge(_format_too_large_for_memory(self._max_memory_body))
        elif self._chunks_bytes > SMALL_FILE_BYTES:
            if self._file is None:
                path = self._scratch.create_file_path(self._upload.original_filename or "")
                self._upload = self._upload._replace(filename=str(path))
                self._file = open_file(path, "wb")
            await self._start_write(self._file)

    async def _start_write(self, file: IO[bytes], *, is_last: bool = False) -> None:
        """Have a thread write what there is, after what came before, and close the file after the last."""
        await self._wait_for_write()
        write = functools.partial(_write, file, self._chunks, is_last=is_last)
        self._pending_write = asyncio.get_running_loop().run_in_executor(None, write)
        self._chunks, self._chunks_bytes = [], 0

    async def _wait_for_write(self) -> None:
        if self._pending_write:
            await asyncio.shield(self._pending_write)
            self._pending_write = None

    async def _abort_file(self, file: IO[bytes]) -> None:
        """Close a file that will not be whole, when the thread is done with it.

        That is waited for, since the file's folder is to go then; whoever cancels that, too, need not wait.
        """
        if self._pending_write is None:
            return _close_quietly(file)
        self._pending_write.add_done_callback(lambda written: _close_quietly(file, written.exception()))
        await asyncio.wait([self._pending_write])
        return None

    def _append_chunk(self, content: bytes) -> None:
        """Keep a piece as it is, which spares a copy; a tiny one together with others."""
        self._chunks_bytes += len(content)
        if not self._chunks or len(content) > _MAX_MERGED_BYTES:
            self._chunks.append(content)
        elif isinstance(last := self._chunks[-1], bytearray):
            last += content
        else:
            self._chunks[-1] = bytearray(last + content)

    async def _finish_part(self) -> None:
        if not self._is_accepted:
            return
        if self._decoder:
            self._append_chunk(self._decode_content(None))
        name = self._name
        if self._upload is None:
            self.memory_bytes += self._chunks_bytes
            text = self._decode_text(name)
            if name == _CHARSET_FIELD:
                self._form_charset = text
            if self._arguments.has_argument(name):
                self._form.setdefault(name, []).append(text)
            return
        if self._file:
            await self._start_write(self._file, is_last=True)
            await self._wait_for_write()
            self._file = None
        else:
            path = self._scratch.write_small_file(self._upload.original_filename or "", self._chunks)
            self._upload = self._upload._replace(filename=path)
        self._form.setdefault(name, []).append(self._upload)

    def _decode_content(self, content: bytes | None) -> bytes:
        """Return what a piece of the part's content encodes; the rest of it for `None`."""
        assert self._decoder is not None
        try:
            return self._decoder.finish() if content is None else self._decoder.feed(content)
        except ValueError as error:
            raise BadRequest(f"The content of the part '{self._name}' cannot be decoded: {error}.") from error

    def _decode_text(self, name: str) -> str:
        try:
            is_known = codecs.lookup(self._charset).name not in _NON_TEXT_CODECS
        except (LookupError, ValueError):
            is_known = False
        if not is_known:
            raise BadRequest(f"The part '{name}' has the charset '{self._charset}', which is unknown.")
        try:
            return b"".join(self._chunks).decode(self._charset)
        except UnicodeDecodeError as error:
            charset = "UTF-8" if self._charset == _DEFAULT_CHARSET else self._charset
            raise BadRequest(
                f"The part '{name}' is neither a file with a name nor {charset} text."
            ) from error
