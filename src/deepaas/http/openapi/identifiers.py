"""Identifiers of operations and schemas, built from names of models, which may be any text."""

import re
from collections.abc import Collection, Container, Iterable, Iterator
from itertools import chain, count

from deepaas.describer.schema_names import NON_ALPHANUMERIC, to_identifier

_SCHEMA_NAME = re.compile(r"[A-Za-z0-9._-]+")


def build_identifiers(names: Iterable[str]) -> dict[str, str]:
    """Return a unique identifier of letters, digits and underscores for each name, whatever their order.

    The identifiers differ even without case and underscores, because code generators change one identifier
    to `predictMyModel`, `predict_my_model` or `PredictMyModel`. Names that are identifiers stay unchanged;
    duplicates are numbered.
    """
    identifiers: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(names, key=lambda name: (name != to_identifier(name), name)):
        identifiers[name] = next(
            candidate
            for candidate in _iterate_candidates(to_identifier(name))
            if _normalize(candidate) not in taken
        )
        taken.add(_normalize(identifiers[name]))
    return identifiers


def choose_schema_name(name: str, identifier: str) -> str:
    """Return the name itself if OpenAPI allows it in a schema's name and it is unique, else `identifier`.

    `identifier` comes from `build_identifiers`. OpenAPI allows letters, digits, dots, dashes and underscores:
    https://spec.openapis.org/oas/v3.1.0#components-object
    """
    is_unique = _normalize(identifier) == _normalize(NON_ALPHANUMERIC.sub("_", name))
    return name if is_unique and _SCHEMA_NAME.fullmatch(name) else identifier


def choose_unique_names(names: Collection[str], taken: Container[str]) -> dict[str, str]:
    """Return a new name for each name that is taken, by adding a number; other names are kept."""
    known = set(names)
    chosen = {}
    for name in names:
        numbered = (f"{name}{number}" for number in count(1))
        free = (candidate for candidate in numbered if candidate not in taken and candidate not in known)
        chosen[name] = next(free) if name in taken else name
        known.add(chosen[name])
    return chosen


def _iterate_candidates(identifier: str) -> Iterator[str]:
    return chain([identifier], (f"{identifier}_{number}" for number in count(2)))


def _normalize(identifier: str) -> str:
    return identifier.replace("_", "").lower()
