"""The media type of a result for which the model declared a range of types, such as `image/*`."""

import mimetypes
import re

import filetype  # type: ignore[import-untyped]  # it has no annotations

from deepaas.errors import InvalidResponse

ANY = "*/*"
OCTET_STREAM = "application/octet-stream"
# Surrogates are bytes that were no UTF-8, and cannot become some again.
_CONTROL_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def is_wildcard(media_type: str) -> bool:
    """Return whether the media type stands for several, as `image/*` does."""
    return "*" in media_type


def has_control_character(text: str) -> bool:
    """Return whether the text has a character that no header of HTTP may have."""
    return _CONTROL_CHARACTER.search(text) is not None


def check_media_type(media_type: str) -> None:
    """Raise `InvalidResponse` for a media type, chosen by the model, that no header can hold."""
    if has_control_character(media_type):
        raise InvalidResponse(
            f"The media type {media_type!r} has control characters, so it cannot be sent. "
            "Remove them from content_type of the ReturnedFile, or from the choices of 'accept'."
        )


def matches_wildcard(media_type: str, wildcard: str) -> bool:
    """Return whether the wildcard stands for the media type, too."""
    kind, _, subtype = wildcard.partition("/")
    own_kind, _, own_subtype = media_type.partition("/")
    return kind in ("*", own_kind) and subtype in ("*", own_subtype)


def resolve_wildcard(wildcard: str, *, name: str, head: bytes, requested: str | None) -> str:
    """Return the media type of content, one that `wildcard` stands for if there is one.

    The suffix of the file's name decides, then the content's first bytes, `head`, then the type that the
    client requested.
    """
    guessed, encoding = mimetypes.guess_type(name)
    found = [guessed if not encoding else None, filetype.guess_mime(head), requested]
    fitting = (media_type for media_type in found if media_type and matches_wildcard(media_type, wildcard))
    return str(next(fitting, None) or next(filter(None, found), OCTET_STREAM))
