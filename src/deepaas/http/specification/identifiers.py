"""Identifiers for operations and schemas, made of the names of models, which may be any text."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import chain, count

_NO_LETTERS_OR_DIGITS = re.compile(r"[^A-Za-z0-9]+")
_SCHEMA_NAME = re.compile(r"[A-Za-z0-9._-]+")


def words(names: Iterable[str]) -> dict[str, str]:
    """Return a word of letters, digits and underscores for each name, whatever the order of the names.

    The words differ also without case and underscores, because code generators make `predictMyModel`,
    `predict_my_model` and `PredictMyModel` of one identifier. A name that is a word already stays as it is;
    others that become the same word are numbered.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(names, key=lambda name: (name != word(name), name)):
        found[name] = next(candidate for candidate in _numbered(word(name)) if _key(candidate) not in taken)
        taken.add(_key(found[name]))
    return found


def word(name: str) -> str:
    """Return the name as one word; letters lose their accents, and a name without any of them is `model`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return _NO_LETTERS_OR_DIGITS.sub("_", plain).strip("_") or "model"


def schema_name(name: str, word: str) -> str:
    """Return the name where the name of a schema can hold it and it is unique, else its word.

    `word` is the one that `words` returns for the name. OpenAPI allows letters, digits, dots, dashes and
    underscores: https://spec.openapis.org/oas/v3.1.0#components-object
    """
    is_unique = _key(word) == _key(_NO_LETTERS_OR_DIGITS.sub("_", name))
    return name if is_unique and _SCHEMA_NAME.fullmatch(name) else word


def _numbered(word: str) -> Iterator[str]:
    return chain([word], (f"{word}_{number}" for number in count(2)))


def _key(word: str) -> str:
    return word.replace("_", "").lower()
