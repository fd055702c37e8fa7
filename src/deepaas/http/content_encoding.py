"""Bodies that are sent compressed: decompressed piece by piece, outside the event loop, within limits."""

import asyncio
import zlib
from collections.abc import AsyncIterator

from deepaas.errors import BadRequest, PayloadTooLarge, UnsupportedEncoding

_CHUNK_BYTES = 1 << 18
_MAX_COMPRESSION_RATIO = 200
_MIN_LIMITED_BYTES = 10 << 20
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_SUPPORTED = ("gzip", "x-gzip", "deflate")
# Any other word is ignored, as aiohttp does it: some clients send "utf-8".
_UNSUPPORTED = ("br", "zstd", "compress", "x-compress")
_DEFLATE_METHOD = 8  # in the lower half of a zlib stream's first byte, RFC 1950


def is_compressed(encoding: str) -> bool:
    """Return whether a body with this Content-Encoding is compressed. Raise `UnsupportedEncoding`."""
    encoding = encoding.strip().lower()
    if encoding in _UNSUPPORTED or "," in encoding:
        raise UnsupportedEncoding(
            f"The Content-Encoding '{encoding}' is not supported. Send gzip, deflate, or the body as it is."
        )
    return encoding in _SUPPORTED


async def decompress(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the content of a gzip or deflate body as it comes, at most 256 KiB at a time.

    Raise `BadRequest` for what is not compressed, and `PayloadTooLarge` for more than 10 MiB that are more
    than 200 times as large as what was received.
    """
    received_bytes = decompressed_bytes = 0
    decompressor = None
    async for chunk in body:
        received_bytes += len(chunk)
        rest = chunk
        while rest:
            piece, rest, decompressor = await asyncio.to_thread(_decompress_chunk, rest, decompressor)
            decompressed_bytes += len(piece)
            if decompressed_bytes > max(_MIN_LIMITED_BYTES, _MAX_COMPRESSION_RATIO * received_bytes):
                raise PayloadTooLarge(
                    f"The body becomes more than {_MAX_COMPRESSION_RATIO} times as large when it is "
                    "decompressed."
                )
            if piece:
                yield piece
    if decompressor:
        raise BadRequest("The body cannot be decompressed: its end is missing.")


def _create_decompressor(first_bytes: bytes) -> "zlib._Decompress":
    """Return what decompresses a stream, of which the first bytes tell the format.

    Some clients send deflate without its header: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.2.
    """
    is_raw = first_bytes[0] & 0xF != _DEFLATE_METHOD and first_bytes[:1] != b"\x1f"
    return zlib.decompressobj(-zlib.MAX_WBITS if is_raw else _GZIP_OR_ZLIB)


def _decompress_chunk(
    compressed: bytes, decompressor: "zlib._Decompress | None"
) -> tuple[bytes, bytes, "zlib._Decompress | None"]:
    """Return the next piece of the content, what is left of `compressed`, and what decompresses that.

    gzip files may follow each other, also many that are empty.
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
