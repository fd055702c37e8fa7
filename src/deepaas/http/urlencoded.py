"""Forms in application/x-www-form-urlencoded.

`urllib.parse.parse_qs` splits a long value at each percent sign at once, and holds the interpreter meanwhile.
"""

from urllib.parse import unquote_to_bytes

from deepaas.errors import BadRequest, BodyTooLarge

_MOST_FIELDS = 10_000
_PIECE_BYTES = 1 << 16
_ESCAPE_BYTES = 3


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
        pieces.append(unquote_to_bytes(encoded[begin:end]))
        begin = end
    return b"".join(pieces).decode()
