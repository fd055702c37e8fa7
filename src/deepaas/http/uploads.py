"""Reading a request: query, forms, JSON, and uploads that go to disk as they come.

It must not know what a model does with them.
"""

import asyncio
import codecs
import contextlib
import functools
from collections.abc import AsyncIterator
from typing import IO, Any

import multipart
from aiohttp import hdrs, web
from multidict import MultiMapping

from deepaas.errors import BadRequest, BodyTooLarge, SenderTooSlow
from deepaas.files import SMALL_BYTES, Scratch
from deepaas.http.content_encoding import decompress, is_compressed
from deepaas.http.form_part import HEADER_CHARSET, Decoder, make_decoder, read_names
from deepaas.http.keys import METRICS, SETTINGS
from deepaas.http.urlencoded import parse_form
from deepaas.model.arguments import Arguments, Given, read_json
from deepaas.model.jsonable import loads_in_steps
from deepaas.model.v2.wrapper import UploadedFile
from deepaas.private import open_file
from deepaas.threads import run_by_size

SLOWEST_BYTES_S = 500
_LARGEST_READ_BYTES = 1 << 20
"""The interpreter lets no other thread run while it parses JSON, which takes 5 ms for this much."""
_MOST_PARTS = 10_000
_PARTS_IN_A_TURN = 32
_TINY_BYTES = 1 << 12
_ENCODING = "utf-8"
# Encodings of Python that are no charsets; some of them take very long, others are no text.
_NOT_CHARSETS = {
    *("punycode", "idna", "undefined", "unicode-escape", "raw-unicode-escape", "rot13"),
    *("base64", "bz2", "hex", "quopri", "uu", "zlib"),
}
_CHARSET = "_charset_"
"""The part in which a form may say the charset of its texts:
https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#naming-form-controls:-the-name-attribute"""


async def read_given(request: web.Request, arguments: Arguments, scratch: Scratch) -> Given:
    """Return what the request gives for `arguments`, with its uploads in `scratch`.

    Raise `BadRequest` for what cannot be read, `BodyTooLarge`, `UnsupportedEncoding` and `SenderTooSlow`.
    """
    settings = request.app[SETTINGS]
    body: list[bytes] | AsyncIterator[bytes] = []
    if request.body_exists:
        received = _received(request, settings.client_max_size, settings.body_timeout)
        if is_compressed(request.headers.get(hdrs.CONTENT_ENCODING, "")):
            received = decompress(received)
        body = _limited(received, settings.client_max_size)
    return await given_of(
        request.query,
        request.headers,
        body,
        arguments=arguments,
        scratch=scratch,
        max_memory_body=settings.max_memory_body,
    )


async def gather(arguments: Arguments, given: Given) -> dict[str, Any]:
    """Return the raw value of each argument that was given."""
    return await run_by_size(given.size_bytes, arguments.gather, given)


async def gather_all(arguments: Arguments, given: Given) -> dict[str, Any]:
    """Do the same; also read JSON that is so large that others must be answered meanwhile."""
    if given.unread_json:
        json = await run_by_size(given.size_bytes, read_json, given.unread_json, loads_in_steps)
        given = given._replace(json=json, unread_json=b"")
    return await gather(arguments, given)


async def given_of(
    query: MultiMapping[str],
    headers: MultiMapping[str],
    body: list[bytes] | AsyncIterator[bytes],
    *,
    arguments: Arguments,
    scratch: Scratch,
    max_memory_body: int,
) -> Given:
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
        pieces = _each(body) if isinstance(body, list) else body
        reader = _Multipart(arguments, scratch, max_memory_body)
        form = await reader.read(headers[hdrs.CONTENT_TYPE], pieces)
        size_bytes = reader.memory_bytes
    elif content_type == "application/x-www-form-urlencoded":
        whole = await _whole(body, max_memory_body)
        size_bytes = len(whole)
        form = await run_by_size(size_bytes, parse_form, whole)
    elif content_type == "application/json" or content_type.endswith("+json"):
        whole = await _whole(body, max_memory_body)
        size_bytes = len(whole)
        if size_bytes > _LARGEST_READ_BYTES:
            unread_json = whole
        else:
            json = await run_by_size(size_bytes, read_json, whole)
    else:
        await _pass_over(body)
    return Given({key: query.getall(key) for key in query}, form, json, headers, unread_json, size_bytes)


def read_media_type(headers: MultiMapping[str]) -> str:
    """Return the media type of a request's body, without its parameters; empty when there is no valid one."""
    media_type = headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
    return media_type if media_type.count("/") == 1 else ""


async def _each(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _pass_over(body: list[bytes] | AsyncIterator[bytes]) -> None:
    if not isinstance(body, list):
        async for _ in body:
            pass


async def _received(request: web.Request, limit_bytes: int, pause_s: float) -> AsyncIterator[bytes]:
    """Yield the body as it comes. Raise `BodyTooLarge` or `SenderTooSlow` as soon as it is."""
    if limit_bytes and (request.content_length or 0) > limit_bytes:
        raise BodyTooLarge(_too_large(limit_bytes))
    received = 0
    loop = asyncio.get_running_loop()
    began = loop.time()
    while chunk := await _chunk(request, pause_s):
        received += len(chunk)
        request.app[METRICS].upload_bytes.inc(len(chunk))
        if loop.time() - began > pause_s + received / SLOWEST_BYTES_S:
            raise SenderTooSlow(f"The body came with less than {SLOWEST_BYTES_S} bytes a second.")
        yield chunk


async def _limited(body: AsyncIterator[bytes], limit_bytes: int) -> AsyncIterator[bytes]:
    """Yield a decompressed body. Raise `BodyTooLarge` as soon as it is."""
    size = 0
    async for chunk in body:
        size += len(chunk)
        if limit_bytes and size > limit_bytes:
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


def _too_large_for_memory(limit_bytes: int) -> str:
    return (
        f"The JSON, or the texts of the form, have more than {limit_bytes} bytes (--max-memory-body). "
        "Send large content as a file in multipart/form-data."
    )


async def _whole(body: list[bytes] | AsyncIterator[bytes], limit_bytes: int) -> bytes:
    """Return a body that has to be in memory. Raise `BodyTooLarge`."""
    if isinstance(body, list):
        return b"".join(body)
    pieces, size = [], 0
    async for piece in body:
        size += len(piece)
        if size > limit_bytes:
            raise BodyTooLarge(_too_large_for_memory(limit_bytes))
        pieces.append(piece)
    return b"".join(pieces)


def _write(file: IO[bytes], pieces: list[bytes | bytearray], *, is_last: bool) -> None:
    file.writelines(pieces)
    if is_last:
        file.close()


def _close(file: IO[bytes], _: BaseException | None = None) -> None:
    """Close a file that nobody wants, which may not be as easy on a full disk."""
    with contextlib.suppress(OSError):
        file.close()


class _Multipart:
    """One multipart body: texts are kept, files are written to the scratch folder, the rest is dropped.

    A file is written when it is whole, or when it turns out to be large, and from then on as it comes.
    """

    def __init__(self, arguments: Arguments, scratch: Scratch, max_memory_body: int) -> None:
        self.memory_bytes = 0
        self._max_memory_body = max_memory_body
        self._arguments = arguments
        self._scratch = scratch
        self._form: dict[str, list[Any]] = {}
        self._name = ""
        self._charset = ""
        self._default_charset = _ENCODING
        self._decoder: Decoder | None = None
        self._file: IO[bytes] | None = None
        self._writing: asyncio.Future[None] | None = None
        self._upload: UploadedFile | None = None
        self._content: list[bytes | bytearray] = []
        self._size = 0
        self._is_wanted = False
        self._parts = 0

    async def read(self, content_type: str, body: AsyncIterator[bytes]) -> dict[str, list[Any]]:
        _, options = multipart.parse_options_header(content_type)
        try:
            boundary = options.get("boundary", "")
            with multipart.PushMultipartParser(boundary, header_charset=HEADER_CHARSET) as parser:
                async for chunk in body:
                    await self._take(parser, chunk)
        except multipart.MultipartError as error:
            raise BadRequest(f"The multipart/form-data body cannot be read: {error}.") from error
        finally:
            if self._file:
                await self._give_up(self._file)
        return self._form

    async def _take(self, parser: multipart.PushMultipartParser, chunk: bytes) -> None:
        for event in parser.parse(chunk):
            if isinstance(event, multipart.MultipartSegment):
                self._begin(event)
            elif event is None:
                await self._end()
                self._parts += 1
                if self._parts > _MOST_PARTS:
                    raise BodyTooLarge(f"The form has more than {_MOST_PARTS} parts.")
                if self._parts % _PARTS_IN_A_TURN == 0:
                    await asyncio.sleep(0)
            elif self._is_wanted:
                await self._add(event)

    def _begin(self, segment: multipart.MultipartSegment) -> None:
        self._name, filename = read_names(segment)
        self._charset = segment.charset or self._default_charset
        self._content, self._size = [], 0
        self._upload = None
        self._is_wanted = self._arguments.declares(self._name) or self._name == _CHARSET
        self._decoder = make_decoder(segment) if self._is_wanted else None
        if filename is None:
            return
        self._upload = UploadedFile(self._name, None, segment.content_type, filename)
        # A browser sends a part without a name and content for a file that was not chosen.
        self._is_wanted = self._arguments.declares(self._name) and bool(filename)

    async def _add(self, content: bytes) -> None:
        """Keep a piece of a text or of a small file; write that of a large one without holding up others."""
        self._keep(self._unencoded(content) if self._decoder else content)
        if self._upload is None:
            if self.memory_bytes + self._size > self._max_memory_body:
                raise BodyTooLarge(_too_large_for_memory(self._max_memory_body))
        elif self._size > SMALL_BYTES:
            if self._file is None:
                path = self._scratch.new_file(self._upload.original_filename or "")
                self._upload = self._upload._replace(filename=str(path))
                self._file = open_file(path, "wb")
            await self._write_out(self._file)

    async def _write_out(self, file: IO[bytes], *, is_last: bool = False) -> None:
        """Have a thread write what there is, after what came before, and close the file after the last."""
        await self._written()
        write = functools.partial(_write, file, self._content, is_last=is_last)
        self._writing = asyncio.get_running_loop().run_in_executor(None, write)
        self._content, self._size = [], 0

    async def _written(self) -> None:
        if self._writing:
            await asyncio.shield(self._writing)
            self._writing = None

    async def _give_up(self, file: IO[bytes]) -> None:
        """Close a file that will not be whole, when the thread is done with it.

        That is waited for, since the file's folder is to go then; whoever cancels that, too, need not wait.
        """
        if self._writing is None:
            return _close(file)
        self._writing.add_done_callback(lambda written: _close(file, written.exception()))
        await asyncio.wait([self._writing])
        return None

    def _keep(self, content: bytes) -> None:
        """Keep a piece as it is, which spares a copy; a tiny one together with others."""
        self._size += len(content)
        if not self._content or len(content) > _TINY_BYTES:
            self._content.append(content)
        elif isinstance(last := self._content[-1], bytearray):
            last += content
        else:
            self._content[-1] = bytearray(last + content)

    async def _end(self) -> None:
        if not self._is_wanted:
            return
        if self._decoder:
            self._keep(self._unencoded(None))
        name = self._name
        if self._upload is None:
            self.memory_bytes += self._size
            text = self._decoded(name)
            if name == _CHARSET:
                self._default_charset = text
            if self._arguments.declares(name):
                self._form.setdefault(name, []).append(text)
            return
        if self._file:
            await self._write_out(self._file, is_last=True)
            await self._written()
            self._file = None
        else:
            path = self._scratch.write_small(self._upload.original_filename or "", self._content)
            self._upload = self._upload._replace(filename=path)
        self._form.setdefault(name, []).append(self._upload)

    def _unencoded(self, content: bytes | None) -> bytes:
        """Return what a piece of the part's content encodes; the rest of it for `None`."""
        assert self._decoder is not None
        try:
            return self._decoder.finish() if content is None else self._decoder.feed(content)
        except ValueError as error:
            raise BadRequest(f"The content of the part '{self._name}' cannot be decoded: {error}.") from error

    def _decoded(self, name: str) -> str:
        try:
            is_known = codecs.lookup(self._charset).name not in _NOT_CHARSETS
        except (LookupError, ValueError):
            is_known = False
        if not is_known:
            raise BadRequest(f"The part '{name}' has the charset '{self._charset}', which is unknown.")
        try:
            return b"".join(self._content).decode(self._charset)
        except UnicodeDecodeError as error:
            charset = "UTF-8" if self._charset == _ENCODING else self._charset
            raise BadRequest(
                f"The part '{name}' is neither a file with a name nor {charset} text."
            ) from error
