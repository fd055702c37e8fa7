"""Curves as a picture: one panel for each, logarithmic both ways, readable in print without colours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from benchmarks.growth.curve import Curve

_COLUMNS = 3
_PANEL_INCHES = (3.6, 2.7)
_MOST_TICKS = 6
# Told apart by form where there are no colours.
_STYLES: tuple[dict[str, Any], ...] = (
    {"color": "black", "marker": "o", "linestyle": "-"},
    {"color": "#0b62a8", "marker": "s", "linestyle": "--"},
    {"color": "#767676", "marker": "^", "linestyle": ":"},
)


def draw(curves: Sequence[Curve], path: Path) -> None:
    """Write the picture; its format is the file's suffix."""
    rows = -(-len(curves) // _COLUMNS)
    with mpl.rc_context({"font.size": 9, "svg.hashsalt": "growth"}):
        figure = Figure(figsize=(_COLUMNS * _PANEL_INCHES[0], rows * _PANEL_INCHES[1]), layout="constrained")
        panels = figure.subplots(rows, _COLUMNS, squeeze=False).flat
        for curve, axes in zip(curves, panels, strict=False):
            _panel(curve, axes)
        for axes in list(figure.axes)[len(curves) :]:
            axes.remove()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=150)


def _panel(curve: Curve, axes: Axes) -> None:
    for (name, points), style in zip(curve.lines.items(), _STYLES, strict=False):
        axes.plot(list(points), list(points.values()), label=name, markersize=4, linewidth=1.2, **style)
    axes.set_xscale("log")
    axes.set_yscale("log")
    _widen(curve, axes)
    axes.set_title(curve.title, fontsize=10, loc="left")
    axes.set_xlabel(curve.x)
    axes.set_ylabel(curve.y)
    axes.grid(visible=True, which="major", color="#d0d0d0", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(FixedLocator(_ticks(curve)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1.0,)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(_plain))
    if len(curve.lines) > 1:
        axes.legend(frameon=False, fontsize=8)


def _ticks(curve: Curve) -> list[int]:
    """Return the places where something was measured, or every third where they are many."""
    places = sorted({x for points in curve.lines.values() for x in points})
    return places if len(places) <= _MOST_TICKS else places[::3]


def _widen(curve: Curve, axes: Axes) -> None:
    """Let the figures' axis cover whole decades, so that no small wobble looks like a cliff."""
    found = [value for points in curve.lines.values() for value in points.values()]
    low, high = 1.0, 1.0
    while low > min(found):
        low /= 10
    while low * 10 <= min(found):
        low *= 10
    while high < max(found):
        high *= 10
    axes.set_ylim(low, max(high, 10 * low))


def _plain(value: float, _: int) -> str:
    """Return 10k rather than a power of ten."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:g}{unit}"
    return f"{value:g}"
