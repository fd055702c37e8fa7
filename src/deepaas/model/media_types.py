"""Media types of results: wildcards such as `image/*`, and characters that cannot be sent."""

import mimetypes
import re

import filetype  # type: ignore[import-untyped]  # it has no annotations

from deepaas.errors import InvalidResponse

ANY = "*/*"
OCTET_STREAM = "application/octet-stream"
# Includes surrogates: they stand for bytes that were not UTF-8, and cannot be encoded.
_CONTROL_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def is_wildcard(media_type: str) -> bool:
    """Return whether the media type is a wildcard, such as `image/*`."""
    return "*" in media_type


def has_control_character(text: str) -> bool:
    """Return whether the text has a control character or a surrogate."""
    return _CONTROL_CHARACTER.search(text) is not None


def check_media_type(media_type: str) -> None:
    """Raise `InvalidResponse` for a model's media type with a control character or a surrogate."""
    if has_control_character(media_type):
        raise InvalidResponse(
            f"The media type {media_type!r} has control characters, so it cannot be sent. "
            "Remove them from content_type of the ReturnedFile, or from the choices of 'accept'."
        )


def overlaps(first: str, second: str) -> bool:
    """Return whether some media type matches both of two media types, each of which may be a wildcard."""
    kind, _, subtype = first.lower().partition("/")
    other_kind, _, other_subtype = second.lower().partition("/")
    return (kind == other_kind or "*" in (kind, other_kind)) and (
        subtype == other_subtype or "*" in (subtype, other_subtype)
    )


def resolve_wildcard(wildcard: str, *, name: str, head: bytes, requested: str | None) -> str:
    """Return the media type of content, preferably one that matches `wildcard`.

    The candidates are, in order: the type for the suffix of the file's name, the type of the content's first
    bytes (`head`), and the type that the client requested.
    """
    guessed, encoding = mimetypes.guess_type(name)
    candidates = [guessed if not encoding else None, filetype.guess_mime(head), requested]
    matches = (candidate for candidate in candidates if candidate and overlaps(candidate, wildcard))
    return str(next(matches, None) or next(filter(None, candidates), OCTET_STREAM))
