"""Content negotiation as a function: `choose_media_type`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepaas.errors import NotAcceptable
from deepaas.http.negotiation import choose_media_type

CHOICES = ("application/json", "image/png", "text/plain")
media_types = st.sampled_from([*CHOICES, "audio/wav", "image/*", "*/*", "application/*", "nonsense", ""])
qualities = st.sampled_from(["", ";q=1", ";q=0.5", ";q=0.001", ";q=0", ";q=x", "; charset=utf-8"])
headers = st.lists(st.builds(str.__add__, media_types, qualities)).map(", ".join)


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", "image/png"),
        ("*/*", "image/png"),
        ("image/*", "image/png"),
        ("text/plain;q=0.2, application/json;q=0.3", "application/json"),
        ("text/plain, application/json", "application/json"),
        ("*/*;q=0.1, text/*", "text/plain"),
        ("image/png;q=0, */*", "application/json"),
        ("Text/Plain", "text/plain"),
        ("text/plain;format=flowed", "text/plain"),
    ],
)
def test_choice(accepted: str, chosen: str) -> None:
    """Quality decides, then the more specific match, then the default, then the order."""
    assert choose_media_type(accepted, CHOICES, "image/png") == chosen


@pytest.mark.parametrize("accepted", ["audio/wav", "image/png;q=0", "image/jpeg, text/html"])
def test_none(accepted: str) -> None:
    """The error lists the choices."""
    with pytest.raises(NotAcceptable, match=", ".join(CHOICES)):
        choose_media_type(accepted, CHOICES, "image/png")


@given(headers, st.sampled_from([None, *CHOICES]))
def test_any_header(accepted: str, default: str | None) -> None:
    """The result is always a choice, the default, or `NotAcceptable`."""
    try:
        assert choose_media_type(accepted, CHOICES, default) in (*CHOICES, default)
    except NotAcceptable:
        assert "*/*;q=1" not in accepted or "*/*;q=0" in accepted


@given(st.text())
def test_nonsense(accepted: str) -> None:
    """An invalid header is never a server error."""
    try:
        assert choose_media_type(accepted, CHOICES, "image/png") in CHOICES
    except NotAcceptable:
        assert "/" in accepted
