"""Forms in application/x-www-form-urlencoded.

`urllib.parse.parse_qs` splits a long value at each percent sign at once: of 10 MB, some seconds during which
no other thread can run.
"""

import binascii
import re

from deepaas.errors import BadRequest, BodyTooLarge

_MOST_FIELDS = 10_000
_PIECE_BYTES = 1 << 16
_ESCAPE_BYTES = 3
_NO_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def parse_form(body: bytes) -> dict[str, list[str]]:
    """Return the texts of each field, in order. Raise `BadRequest` and `BodyTooLarge`."""
    if body.count(b"&") >= _MOST_FIELDS:
        raise BodyTooLarge(f"The form has more than {_MOST_FIELDS} fields.")
    form: dict[str, list[str]] = {}
    try:
        for field in filter(None, body.split(b"&")):
            name, _, value = field.partition(b"=")
            form.setdefault(_text(name), []).append(_text(value))
    except ValueError as error:
        raise BadRequest(f"The form cannot be read: {error}.") from error
    return form


def _text(encoded: bytes) -> str:
    pieces, begin = [], 0
    encoded = encoded.replace(b"+", b" ")
    while begin < len(encoded):
        end = begin + _PIECE_BYTES
        escape = encoded.rfind(b"%", end - _ESCAPE_BYTES + 1, end)
        end = end if escape < 0 or end >= len(encoded) else escape
        pieces.append(_unescaped(encoded[begin:end]))
        begin = end
    return b"".join(pieces).decode()


def _unescaped(piece: bytes) -> bytes:
    """Decode it as quoted-printable text, which escapes likewise and has a decoder in C.

    Escaped before that is what means something else there: an equals sign, and the end of a line.
    """
    if b"%" not in piece:
        return piece
    piece = _NO_ESCAPE.sub(b"%25", piece)
    piece = piece.replace(b"=", b"%3D").replace(b"\n", b"%0A").replace(b"\r", b"%0D")
    return binascii.a2b_qp(piece.replace(b"%", b"="))
