"""Decompresses request bodies in chunks, outside the event loop, and within limits."""

import zlib
from collections.abc import AsyncIterator

from deepaas.errors import BadRequest, PayloadTooLarge, UnsupportedEncoding
from deepaas.thread_pools import PARSING_EXECUTOR, run_in_executor

_CHUNK_BYTES = 1 << 18
_MAX_COMPRESSION_RATIO = 200
_MIN_LIMITED_BYTES = 10 << 20
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_SUPPORTED = ("gzip", "x-gzip", "deflate")
# Other values are ignored, as in aiohttp: some clients send "utf-8".
_UNSUPPORTED = ("br", "zstd", "compress", "x-compress")
_DEFLATE_METHOD = 8  # lower half of a zlib stream's first byte: RFC 1950


def is_compressed(encoding: str) -> bool:
    """Return whether this Content-Encoding is gzip or deflate. Raise `UnsupportedEncoding`."""
    encoding = encoding.strip().lower()
    if encoding in _UNSUPPORTED or "," in encoding:
        raise UnsupportedEncoding(
            f"The Content-Encoding '{encoding}' is not supported. Send gzip, deflate, or the body as it is."
        )
    return encoding in _SUPPORTED


async def decompress(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the decompressed content of a gzip or deflate body in chunks of up to 256 KiB.

    Raise `BadRequest` for invalid data. Raise `PayloadTooLarge` if the content exceeds both 10 MiB and 200
    times the size of the received data.
    """
    received_bytes = decompressed_bytes = 0
    decompressor = None
    async for chunk in body:
        received_bytes += len(chunk)
        rest = chunk
        while rest:
            piece, rest, decompressor = await run_in_executor(
                PARSING_EXECUTOR, _decompress_chunk, rest, decompressor
            )
            decompressed_bytes += len(piece)
            if decompressed_bytes > max(_MIN_LIMITED_BYTES, _MAX_COMPRESSION_RATIO * received_bytes):
                raise PayloadTooLarge(
                    f"The decompressed body is more than {_MAX_COMPRESSION_RATIO} times as large as the "
                    "compressed one."
                )
            if piece:
                yield piece
    if decompressor:
        raise BadRequest("The body cannot be decompressed: its end is missing.")


def _create_decompressor(first_bytes: bytes) -> "zlib._Decompress":
    """Return a decompressor for the format that the first bytes indicate.

    Some clients send deflate data without the zlib header: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.2.
    """
    is_raw = first_bytes[0] & 0xF != _DEFLATE_METHOD and first_bytes[:1] != b"\x1f"
    return zlib.decompressobj(-zlib.MAX_WBITS if is_raw else _GZIP_OR_ZLIB)


def _decompress_chunk(
    compressed: bytes, decompressor: "zlib._Decompress | None"
) -> tuple[bytes, bytes, "zlib._Decompress | None"]:
    """Return the next content, the rest of `compressed`, and the decompressor for that rest.

    A gzip body may have several members, even many empty ones.
    """
    piece = b""
    while compressed and not piece:
        decompressor = decompressor or _create_decompressor(compressed)
        try:
            piece = decompressor.decompress(compressed, _CHUNK_BYTES)
        except zlib.error as error:
            raise BadRequest(f"The body cannot be decompressed: {error}.") from error
        compressed = decompressor.unconsumed_tail
        if decompressor.eof:
            compressed, decompressor = decompressor.unused_data, None
    return piece, compressed, decompressor
