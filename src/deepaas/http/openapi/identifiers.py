"""Identifiers for operations and schemas, made of the names of models, which may be any text."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import chain, count

_NON_ALPHANUMERIC = re.compile(r"[^A-Za-z0-9]+")
_SCHEMA_NAME = re.compile(r"[A-Za-z0-9._-]+")


def build_identifiers(names: Iterable[str]) -> dict[str, str]:
    """Return a word of letters, digits and underscores for each name, whatever the order of the names.

    The words differ also without case and underscores, because code generators make `predictMyModel`,
    `predict_my_model` and `PredictMyModel` of one identifier. A name that is a word already stays as it is;
    others that become the same word are numbered.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(names, key=lambda name: (name != to_identifier(name), name)):
        found[name] = next(
            candidate
            for candidate in _iterate_candidates(to_identifier(name))
            if _normalize(candidate) not in taken
        )
        taken.add(_normalize(found[name]))
    return found


def to_identifier(name: str) -> str:
    """Return the name as one word; letters lose their accents, and a name without any of them is `model`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return _NON_ALPHANUMERIC.sub("_", plain).strip("_") or "model"


def choose_schema_name(name: str, identifier: str) -> str:
    """Return the name where the name of a schema can hold it and it is unique, else its word.

    `identifier` is the one that `build_identifiers` returns for the name. OpenAPI allows letters, digits,
    dots, dashes and underscores: https://spec.openapis.org/oas/v3.1.0#components-object
    """
    is_unique = _normalize(identifier) == _normalize(_NON_ALPHANUMERIC.sub("_", name))
    return name if is_unique and _SCHEMA_NAME.fullmatch(name) else identifier


def _iterate_candidates(identifier: str) -> Iterator[str]:
    return chain([identifier], (f"{identifier}_{number}" for number in count(2)))


def _normalize(identifier: str) -> str:
    return identifier.replace("_", "").lower()
