"""The media type of a result for which the model declared a range of types, such as `image/*`."""

import mimetypes

import filetype  # type: ignore[import-untyped]  # it has no annotations

ANY = "*/*"
BYTES = "application/octet-stream"


def is_wildcard(media_type: str) -> bool:
    """Return whether the media type stands for several, as `image/*` does."""
    return "*" in media_type


def concrete(*, name: str, head: bytes, requested: str | None) -> str:
    """Return the media type of content.

    The suffix of the file's name decides, then the content's first bytes, `head`, then the type that the
    client requested.
    """
    guessed, encoding = mimetypes.guess_type(name)
    if guessed and not encoding:
        return guessed
    return str(filetype.guess_mime(head) or requested or BYTES)
