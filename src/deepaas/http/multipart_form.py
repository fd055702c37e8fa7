"""Parses multipart/form-data: texts are kept in memory, files are written to disk as they arrive."""

import asyncio
import codecs
import contextlib
import functools
from collections.abc import AsyncIterator
from typing import IO, Any

import multipart

from deepaas.errors import BadRequest, PayloadTooLarge
from deepaas.http.form_part import HEADER_CHARSET, ContentDecoder, create_decoder, read_part_names
from deepaas.model.arguments import Arguments
from deepaas.model.v2.wrapper import UploadedFile
from deepaas.private_files import open_file
from deepaas.scratch import SMALL_FILE_BYTES, UploadFolder
from deepaas.thread_pools import FILES_EXECUTOR

_MAX_PARTS = 10_000
_PARTS_PER_YIELD = 32
_MAX_MERGED_BYTES = 1 << 12
_DEFAULT_CHARSET = "utf-8"
# Python codecs that are not charsets; some are very slow, others do not produce text.
_NON_TEXT_CODECS = {
    *("punycode", "idna", "undefined", "unicode-escape", "raw-unicode-escape", "rot13"),
    *("base64", "bz2", "hex", "quopri", "uu", "zlib"),
}
_CHARSET_FIELD = "_charset_"
"""Name of the part that sets the charset of a form's texts:
https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#naming-form-controls:-the-name-attribute"""


def too_large_for_memory(limit_bytes: int) -> PayloadTooLarge:
    """Return the error for JSON or form texts of more than `limit_bytes`; files do not count."""
    return PayloadTooLarge(
        f"The JSON, or the texts of the form, have more than {limit_bytes} bytes (--max-memory-body). "
        "Send large content as a file in multipart/form-data."
    )


def _write(file: IO[bytes], chunks: list[bytes | bytearray], *, is_last: bool) -> None:
    file.writelines(chunks)
    if is_last:
        file.close()


def _close_quietly(file: IO[bytes], _: BaseException | None = None) -> None:
    """Close an abandoned file; flushing it fails on a full disk."""
    with contextlib.suppress(OSError):
        file.close()


class MultipartReader:
    """Parses one multipart body: keeps texts, writes files to the upload folder, skips unknown parts.

    Small files are written when complete, large ones as they arrive. `memory_bytes` is the total size of the
    texts.
    """

    def __init__(self, arguments: Arguments, upload_folder: UploadFolder, max_memory_body: int) -> None:
        self.memory_bytes = 0
        self._max_memory_body = max_memory_body
        self._arguments = arguments
        self._upload_folder = upload_folder
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
        """Return the texts and files of each field, in order. Raise `BadRequest` and `PayloadTooLarge`."""
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
        # Browsers send a part without file name and content if the user selected no file.
        self._is_accepted = self._arguments.has_argument(self._name) and bool(filename)

    async def _add_content(self, content: bytes) -> None:
        """Buffer content of a text or a small file; write content of a large file in a thread."""
        self._append_chunk(self._decode_content(content) if self._decoder else content)
        if self._upload is None:
            if self.memory_bytes + self._chunks_bytes > self._max_memory_body:
                raise too_large_for_memory(self._max_memory_body)
        elif self._chunks_bytes > SMALL_FILE_BYTES:
            if self._file is None:
                path = self._upload_folder.create_file_path(self._upload.original_filename or "")
                self._upload = self._upload._replace(filename=str(path))
                self._file = open_file(path, "wb")
            await self._start_write(self._file)

    async def _start_write(self, file: IO[bytes], *, is_last: bool = False) -> None:
        """Write the buffered content in a thread, after the previous write; close the file if `is_last`."""
        await self._wait_for_write()
        write = functools.partial(_write, file, self._chunks, is_last=is_last)
        self._pending_write = asyncio.get_running_loop().run_in_executor(FILES_EXECUTOR, write)
        self._chunks, self._chunks_bytes = [], 0

    async def _wait_for_write(self) -> None:
        if self._pending_write:
            await asyncio.shield(self._pending_write)
            self._pending_write = None

    async def _abort_file(self, file: IO[bytes]) -> None:
        """Close an incomplete file after the pending write.

        Wait for the write, because the folder is deleted next. A second cancellation stops only the wait.
        """
        if self._pending_write is None:
            return _close_quietly(file)
        self._pending_write.add_done_callback(lambda write: _close_quietly(file, write.exception()))
        await asyncio.wait([self._pending_write])
        return None

    def _append_chunk(self, content: bytes) -> None:
        """Keep large chunks without a copy, and merge small ones."""
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
            path = self._upload_folder.write_small_file(self._upload.original_filename or "", self._chunks)
            self._upload = self._upload._replace(filename=path)
        self._form.setdefault(name, []).append(self._upload)

    def _decode_content(self, content: bytes | None) -> bytes:
        """Decode a chunk of the part's content; `None` returns the rest."""
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
