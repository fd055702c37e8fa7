"""Plots the series: one log-log panel each, readable in print without colours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from benchmarks.scaling.series import Series

_COLUMNS = 3
_PANEL_INCHES = (3.6, 2.7)
_MOST_TICKS = 6
# Lines differ in shape too, for prints without colours.
_STYLES: tuple[dict[str, Any], ...] = (
    {"color": "black", "marker": "o", "linestyle": "-"},
    {"color": "#0b62a8", "marker": "s", "linestyle": "--"},
    {"color": "#767676", "marker": "^", "linestyle": ":"},
)


def draw(all_series: Sequence[Series], path: Path) -> None:
    """Write the plot; the suffix of `path` selects the format."""
    rows = -(-len(all_series) // _COLUMNS)
    with mpl.rc_context({"font.size": 9, "svg.hashsalt": "growth"}):
        figure = Figure(figsize=(_COLUMNS * _PANEL_INCHES[0], rows * _PANEL_INCHES[1]), layout="constrained")
        panels = figure.subplots(rows, _COLUMNS, squeeze=False).flat
        for series, axes in zip(all_series, panels, strict=False):
            _panel(series, axes)
        for axes in list(figure.axes)[len(all_series) :]:
            axes.remove()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=150)


def _panel(series: Series, axes: Axes) -> None:
    for (name, points), style in zip(series.lines.items(), _STYLES, strict=False):
        axes.plot(list(points), list(points.values()), label=name, markersize=4, linewidth=1.2, **style)
    axes.set_xscale("log")
    axes.set_yscale("log")
    _widen(series, axes)
    axes.set_title(series.title, fontsize=10, loc="left")
    axes.set_xlabel(series.x)
    axes.set_ylabel(series.y)
    axes.grid(visible=True, which="major", color="#d0d0d0", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(FixedLocator(_ticks(series)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1.0,)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(_plain))
    if len(series.lines) > 1:
        axes.legend(frameon=False, fontsize=8)


def _ticks(series: Series) -> list[int]:
    """Return the measured x values, or every third one if there are many."""
    places = sorted({x for points in series.lines.values() for x in points})
    return places if len(places) <= _MOST_TICKS else places[::3]


def _widen(series: Series, axes: Axes) -> None:
    """Extend the y axis to whole decades, so that small variations do not look large."""
    found = [value for points in series.lines.values() for value in points.values()]
    low, high = 1.0, 1.0
    while low > min(found):
        low /= 10
    while low * 10 <= min(found):
        low *= 10
    while high < max(found):
        high *= 10
    axes.set_ylim(low, max(high, 10 * low))


def _plain(value: float, _: int) -> str:
    """Return 10k instead of a power of ten."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:g}{unit}"
    return f"{value:g}"
