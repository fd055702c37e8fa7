"""One part of a multipart/form-data body: its names and encodings, as HTTP clients write them."""

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
"""What the parser decodes headers with: nothing is lost, so that they can be decoded again."""
_DISPOSITION = "Content-Disposition"
_ENCODED_WORDS = re.compile(r"(\s*=\?[^?\s]+\?[bq]\?[^?]*\?=)+", re.IGNORECASE)
_IDENTITY_ENCODINGS = ("", "7bit", "8bit", "binary")
_BASE64_GROUP_LENGTH = 4
_MAX_ESCAPE_LENGTH = 3  # characters: =E4, or = and the end of a line


def read_part_names(segment: multipart.MultipartSegment) -> tuple[str, str | None]:
    """Return the name of a part and, of a file, that of the file.

    Browsers write UTF-8; other clients write Latin-1, RFC 2231 (`filename*=utf-8''…`) or RFC 2047
    (`=?utf-8?B?…?=`).
    """
    header = segment.header(_DISPOSITION, "")
    name, filename = segment.name or "", segment.filename
    if header.isascii() and "*" not in header and "=?" not in header:
        return name, filename
    extended = _parse_extended_parameters(_decode_utf8(header))
    found = extended.get("filename") or filename
    return extended.get("name") or _decode_utf8(name), None if found is None else _decode_encoded_words(
        _decode_utf8(found)
    )


class ContentDecoder(Protocol):
    """Decodes the content of a part piece by piece. Both methods raise `ValueError` for bad content."""

    def feed(self, chunk: bytes) -> bytes:
        """Return what can be decoded with one more piece."""

    def finish(self) -> bytes:
        """Return the rest."""


def create_decoder(segment: multipart.MultipartSegment) -> ContentDecoder | None:
    """Return a decoder for the content of a part, if it is encoded.

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
        f"The part '{read_part_names(segment)[0]}' has the Content-Transfer-Encoding '{encoding}'. "
        "Send base64, quoted-printable, or the content as it is."
    )


class _Base64Decoder:
    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, chunk: bytes) -> bytes:
        text = self._buffer + bytes(chunk).translate(None, b" \t\r\n")
        whole = len(text) - len(text) % _BASE64_GROUP_LENGTH
        self._buffer = text[whole:]
        return binascii.a2b_base64(text[:whole])

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
    """Return a header's text, which was decoded as Latin-1, as the UTF-8 that it is in most cases."""
    try:
        return text.encode(HEADER_CHARSET).decode()
    except UnicodeError:
        return text


def _parse_extended_parameters(header: str) -> dict[str, str]:
    """Return the parameters of the header that are written as RFC 2231 has it."""
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
        return {}  # in a charset that is none


def _decode_encoded_words(text: str) -> str:
    """Return a text that is written as RFC 2047 has it, decoded; any other as it is."""
    if not _ENCODED_WORDS.fullmatch(text):
        return text
    try:
        return str(make_header(decode_header(text))) or text
    except (MessageError, LookupError, ValueError):
        return text
