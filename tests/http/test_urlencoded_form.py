"""Parsing of application/x-www-form-urlencoded."""

from urllib.parse import parse_qs, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepaas.errors import BadRequest, PayloadTooLarge
from deepaas.http.urlencoded_form import parse_form

# Pieces that are special in percent escapes or in quoted-printable
PIECES = [
    "%",
    "%a4",
    "4",
    "a",
    "G",
    "=",
    "\n",
    "\r",
    " ",
    "\t",
    "_",
    ".",
    "%41",
    "%3d",
    "%0A",
    "%25",
    "%c3%a9",
    "é",
    "\0",
]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_escapes(text: str) -> None:
    """Values are decoded as by `urllib.parse`; invalid UTF-8 is rejected."""
    body = b"name=" + text.encode()
    try:
        expected = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        with pytest.raises(BadRequest, match="The form cannot be read"):
            parse_form(body)
    else:
        assert parse_form(body) == {"name": [expected]}


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "%61"]), st.sampled_from(["", "1", "+", "%2B"]))))
def test_fields(pairs: list[tuple[str, str]]) -> None:
    """Values are grouped by name, in order."""
    body = "&".join(f"{name}={value}" for name, value in pairs)
    assert parse_form(body.encode()) == parse_qs(body, keep_blank_values=True)


@pytest.mark.parametrize("piece", [b"%41", b"a%41", b"%zz", b"%c3%a9"])
def test_long_value(piece: bytes) -> None:
    """Decoding in chunks does not split escapes."""
    value = piece * 400_000
    assert parse_form(b"name=" + value) == {"name": [unquote_to_bytes(value).decode()]}


def test_invalid() -> None:
    with pytest.raises(BadRequest, match="The form cannot be read"):
        parse_form(b"name=%ff")
    with pytest.raises(PayloadTooLarge, match="more than 10000 fields"):
        parse_form(b"a=1&" * 10_000)
