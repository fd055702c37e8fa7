"""Converts names of models and schemas, which may be any text, to identifiers."""

import re
import unicodedata

NON_ALPHANUMERIC = re.compile(r"[^A-Za-z0-9]+")


def to_identifier(name: str) -> str:
    """Return the name as an identifier without accents; `model` if no letter or digit is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return NON_ALPHANUMERIC.sub("_", plain).strip("_") or "model"
