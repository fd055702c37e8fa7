"""Writes the tables into the page, below the text that people write."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.report import number
from benchmarks.scaling.series import Series

_MARK_START = "<!-- Below are figures"
_MARK = f"{_MARK_START}, written by `make scaling`: do not edit. -->\n"


def write(path: Path, all_series: Iterable[Series], machine: Mapping[str, str]) -> None:
    """Replace everything below the mark."""
    kept = path.read_text().partition(_MARK_START)[0] if path.exists() else "# Scaling\n\n"
    facts = "; ".join(f"{name}: {text}" for name, text in machine.items())
    path.write_text(
        f"{kept}{_MARK}\n## Figures\n\n{facts}.\n\n{''.join(map(table, all_series))}".rstrip() + "\n"
    )


def table(series: Series) -> str:
    """Return one series as a table with a row for each x value."""
    places = list(dict.fromkeys(x for points in series.lines.values() for x in points))
    head = f"| {series.x} | {' | '.join(f'{name}, {series.y}' for name in series.lines)} |\n"
    rule = f"|---:{'|---:' * len(series.lines)}|\n"
    rows = "".join(
        f"| {place:,.0f} | {' | '.join(number(points[place]) for points in series.lines.values())} |\n"
        for place in places
    )
    return f"**{series.title}**\n\n{head}{rule}{rows}\n"
