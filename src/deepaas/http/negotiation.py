"""Content negotiation by RFC 9110: chooses the media type of a response."""

from collections.abc import Sequence

import mimeparse

from deepaas.errors import HeadersTooLarge, NotAcceptable
from deepaas.model.media_types import has_control_character, is_wildcard, overlaps
from deepaas.model.stream_encoding import EVENT_STREAM, JSON_LINES

_MAX_HEADER_LENGTH = 8190  # characters, which is aiohttp's default limit for one header


def choose_media_type(accept_header: str, choices: Sequence[str], default: str | None) -> str | None:
    """Return the choice that the `Accept` header prefers.

    Among equals, the most specific match wins, then the default, then the first choice. A choice with a
    wildcard, such as `image/*`, never wins over an acceptable default: browsers and HTTP libraries list image
    types in their default header. Without a header, return the default. Raise `NotAcceptable`, listing the
    choices, if the header excludes them all, and `HeadersTooLarge`.
    """
    if len(accept_header) > _MAX_HEADER_LENGTH:
        raise HeadersTooLarge(f"The Accept headers have more than {_MAX_HEADER_LENGTH} characters together.")
    if not accept_header.strip() or not choices:
        return default
    ranges = _parse_media_ranges(accept_header)
    if not ranges:
        return default
    ranked = [
        (quality, fitness, choice == default, -index, choice)
        for index, choice in enumerate(choices)
        for quality, fitness in [_rate_choice(choice, ranges)]
        if quality > 0
    ]
    if not ranked:
        raise NotAcceptable(f"This model returns {', '.join(choices)}; the request accepts {accept_header}.")
    if any(choice == default for *_, choice in ranked):
        ranked = [rating for rating in ranked if rating[-1] == default or not is_wildcard(rating[-1])]
    return max(ranked)[-1]


def find_requested_type(accept_header: str, choice: str) -> str | None:
    """Return the concrete media type matching `choice` that the `Accept` header prefers, or `None`."""
    named = [
        (float(parameters["q"]), -index, f"{kind}/{subtype}")
        for index, (kind, subtype, parameters) in enumerate(_parse_media_ranges(accept_header))
        if "*" not in (kind, subtype) and overlaps(choice, f"{kind}/{subtype}")
        if not has_control_character(f"{kind}/{subtype}")
    ]
    quality, _, media_type = max(named, default=(0.0, 0, None))
    return media_type if quality > 0 else None


def prefers_events(accept_header: str) -> bool:
    """Return whether the `Accept` header prefers server-sent events to JSON lines."""
    if EVENT_STREAM not in accept_header.lower():
        return False
    try:
        return choose_media_type(accept_header, (JSON_LINES, EVENT_STREAM), JSON_LINES) == EVENT_STREAM
    except NotAcceptable:
        return False


def _parse_media_ranges(accept_header: str) -> list[tuple[str, str, dict[str, str]]]:
    """Parse the header, and ignore invalid media ranges."""
    ranges = []
    for part in accept_header.lower().split(","):
        try:
            ranges.append(mimeparse.parse_media_range(part))
        except mimeparse.MimeTypeParseException:
            continue
    return ranges


def _rate_choice(choice: str, ranges: list[tuple[str, str, dict[str, str]]]) -> tuple[float, float]:
    """Return the quality of the choice, and how specifically the header matches it."""
    if is_wildcard(choice):
        covered = (
            float(parameters["q"]) for *names, parameters in ranges if overlaps(choice, "/".join(names))
        )
        return max(covered, default=0.0), 0.0
    quality, fitness = mimeparse.quality_and_fitness_parsed(choice.lower(), ranges)
    return float(quality), float(fitness)
