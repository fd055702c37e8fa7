"""The media type of a result for which the model declared a range of types, such as `image/*`."""

import mimetypes

import filetype  # type: ignore[import-untyped]  # it has no annotations

ANY = "*/*"
BYTES = "application/octet-stream"


def is_wildcard(media_type: str) -> bool:
    """Return whether the media type stands for several, as `image/*` does."""
    return "*" in media_type


def is_within(media_type: str, wildcard: str) -> bool:
    """Return whether the wildcard stands for the media type, too."""
    kind, _, subtype = wildcard.partition("/")
    own_kind, _, own_subtype = media_type.partition("/")
    return kind in ("*", own_kind) and subtype in ("*", own_subtype)


def concrete(wildcard: str, *, name: str, head: bytes, requested: str | None) -> str:
    """Return the media type of content, one that `wildcard` stands for if there is one.

    The suffix of the file's name decides, then the content's first bytes, `head`, then the type that the
    client requested.
    """
    guessed, encoding = mimetypes.guess_type(name)
    found = [guessed if not encoding else None, filetype.guess_mime(head), requested]
    fitting = (media_type for media_type in found if media_type and is_within(media_type, wildcard))
    return str(next(fitting, None) or next(filter(None, found), BYTES))
