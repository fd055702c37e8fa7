"""The figures of the page: what a person wrote above the mark stays."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.growth.curve import Curve
from benchmarks.report import number

_MARK = "<!-- Below are figures, written by `make growth`: do not edit. -->\n"


def write(path: Path, curves: Iterable[Curve], machine: Mapping[str, str]) -> None:
    """Put the figures below the mark."""
    kept = path.read_text().partition(_MARK)[0] if path.exists() else "# Growth\n\n"
    facts = "; ".join(f"{name}: {text}" for name, text in machine.items())
    path.write_text(f"{kept}{_MARK}\n## Figures\n\n{facts}.\n\n{''.join(map(table, curves))}".rstrip() + "\n")


def table(curve: Curve) -> str:
    """Return one curve as a table, with a row for each place on its axis."""
    places = list(dict.fromkeys(x for points in curve.lines.values() for x in points))
    head = f"| {curve.x} | {' | '.join(f'{name}, {curve.y}' for name in curve.lines)} |\n"
    rule = f"|---:{'|---:' * len(curve.lines)}|\n"
    rows = "".join(
        f"| {place:,.0f} | {' | '.join(number(points[place]) for points in curve.lines.values())} |\n"
        for place in places
    )
    return f"**{curve.title}**\n\n{head}{rule}{rows}\n"
