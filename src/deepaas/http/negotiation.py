"""Which media type to answer with, by RFC 9110. It must not know what the types stand for."""

from collections.abc import Sequence

import mimeparse

from deepaas.errors import NotAcceptable
from deepaas.model.streaming import EVENTS, LINES


def choose(accepted: str, choices: Sequence[str], default: str | None) -> str | None:
    """Return the choice that the `Accept` header likes best.

    Between equals, the one that it names most exactly wins, then the default, then the first. Without a
    header the default is returned. Raise `NotAcceptable`, listing the choices, when it excludes them all.
    """
    if not accepted.strip() or not choices:
        return default
    ranges = _ranges(accepted)
    if not ranges:
        return default
    ranked = [
        (quality, fitness, choice == default, -index, choice)
        for index, choice in enumerate(choices)
        for quality, fitness in [_match(choice, ranges)]
        if quality > 0
    ]
    if not ranked:
        raise NotAcceptable(f"This model answers with {', '.join(choices)}; the request accepts {accepted}.")
    return max(ranked)[-1]


def prefers_events(accepted: str) -> bool:
    """Say whether the `Accept` header likes server-sent events better than JSON lines."""
    if EVENTS not in accepted.lower():
        return False
    try:
        return choose(accepted, (LINES, EVENTS), LINES) == EVENTS
    except NotAcceptable:
        return False


def _ranges(accepted: str) -> list[tuple[str, str, dict[str, str]]]:
    """Read the header, passing over what is not a media range."""
    ranges = []
    for part in accepted.lower().split(","):
        try:
            ranges.append(mimeparse.parse_media_range(part))
        except mimeparse.MimeTypeParseException:
            continue
    return ranges


def _match(choice: str, ranges: list[tuple[str, str, dict[str, str]]]) -> tuple[float, float]:
    """Return how much the header likes the choice, and how exactly it names it."""
    if choice == "*/*":
        return 1, 0
    quality, fitness = mimeparse.quality_and_fitness_parsed(choice.lower(), ranges)
    return float(quality), float(fitness)
