"""Decodes one part of a multipart/form-data body, with the names and encodings of various HTTP clients."""

import binascii
import re
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import Any, Protocol

import multipart

from deepaas.errors import BadRequest

HEADER_CHARSET = "latin-1"
"""Charset in which the parser decodes headers; lossless, so that we can decode them again."""
_DISPOSITION = "Content-Disposition"
_ENCODED_WORDS = re.compile(r"(\s*=\?[^?\s]+\?[bq]\?[^?]*\?=)+", re.IGNORECASE)
_IDENTITY_ENCODINGS = ("", "7bit", "8bit", "binary")
_BASE64_GROUP_LENGTH = 4
_MAX_ESCAPE_LENGTH = 3  # characters: =E4, or = and a line break


def read_part_names(segment: multipart.MultipartSegment) -> tuple[str, str | None]:
    """Return the name of a part, and the file name or `None`.

    Browsers write UTF-8; other clients write Latin-1, RFC 2231 (`filename*=utf-8''…`) or RFC 2047
    (`=?utf-8?B?…?=`).
    """
    header = segment.header(_DISPOSITION, "")
    name, filename = segment.name or "", segment.filename
    if header.isascii() and "*" not in header and "=?" not in header:
        return name, filename
    extended = _parse_extended_parameters(_decode_utf8(header))
    filename = extended.get("filename") or filename
    return extended.get("name") or _decode_utf8(name), None if filename is None else _decode_encoded_words(
        _decode_utf8(filename)
    )


class ContentDecoder(Protocol):
    """Decodes the content of a part in chunks. Both methods raise `ValueError` for invalid content."""

    def feed(self, chunk: bytes) -> bytes:
        """Add a chunk, and return the content that can be decoded so far."""

    def finish(self) -> bytes:
        """Return the remaining content."""


def create_decoder(segment: multipart.MultipartSegment) -> ContentDecoder | None:
    """Return a decoder for the part's Content-Transfer-Encoding, or `None` if the content is not encoded.

    Raise `BadRequest` for an unknown encoding.
    """
    encoding = segment.header("Content-Transfer-Encoding", "").strip().lower()
    if encoding in _IDENTITY_ENCODINGS:
        return None
    if encoding == "base64":
        return _Base64Decoder()
    if encoding == "quoted-printable":
        return _QuotedPrintableDecoder()
    raise BadRequest(
        f"The part '{read_part_names(segment)[0]}' has the unknown Content-Transfer-Encoding "
        f"'{encoding}'. Use base64, quoted-printable or no encoding."
    )


class _Base64Decoder:
    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, chunk: bytes) -> bytes:
        text = self._buffer + bytes(chunk).translate(None, b" \t\r\n")
        end = len(text) - len(text) % _BASE64_GROUP_LENGTH
        self._buffer = text[end:]
        return binascii.a2b_base64(text[:end])

    def finish(self) -> bytes:
        return binascii.a2b_base64(self._buffer)


class _QuotedPrintableDecoder:
    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, chunk: bytes) -> bytes:
        text = self._buffer + chunk
        begin = text.rfind(b"=", -_MAX_ESCAPE_LENGTH)
        begin = len(text) if begin < 0 else begin
        self._buffer = text[begin:]
        return binascii.a2b_qp(text[:begin])

    def finish(self) -> bytes:
        return binascii.a2b_qp(self._buffer)


def _decode_utf8(text: str) -> str:
    """Decode a Latin-1 header again as UTF-8, which most clients send; return other text unchanged."""
    try:
        return text.encode(HEADER_CHARSET).decode()
    except UnicodeError:
        return text


def _parse_extended_parameters(header: str) -> dict[str, str]:
    """Return the header's parameters that use RFC 2231 encoding."""
    message = Message()
    message[_DISPOSITION] = header
    parameters: Any = message.get_params([], header=_DISPOSITION)
    try:
        return {
            key: collapse_rfc2231_value(value, errors="replace")
            for key, value in parameters
            if isinstance(value, tuple)
        }
    except (LookupError, ValueError):
        return {}  # unknown charset


def _decode_encoded_words(text: str) -> str:
    """Decode the encoded words of RFC 2047; return any other text unchanged."""
    if not _ENCODED_WORDS.fullmatch(text):
        return text
    try:
        return str(make_header(decode_header(text))) or text
    except (MessageError, LookupError, ValueError):
        return text
