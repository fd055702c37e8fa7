"""Measured series, and the processor time that explains them."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import psutil

from benchmarks.servers.running import Running

Points = dict[int, float]


@dataclasses.dataclass(frozen=True)
class Series:
    """Named lines over the same axes.

    Every series becomes a table; one with `is_drawn` also becomes a panel of the plot.
    """

    title: str
    x: str
    y: str
    lines: Mapping[str, Points]
    is_drawn: bool = True


def medians(rounds: Sequence[Series]) -> Series:
    """Return a series of the medians of the same series in several rounds."""
    lines = {
        name: {x: statistics.median(series.lines[name][x] for series in rounds) for x in points}
        for name, points in rounds[0].lines.items()
    }
    return dataclasses.replace(rounds[0], lines=lines)


class Spent(NamedTuple):
    """Seconds of processor time."""

    server_s: float
    workers_s: float


def spent(running: Running) -> Spent:
    """Return the processor time used so far by a server's process and by its descendants."""
    process = psutil.Process(running.pid)
    return Spent(_seconds(process), sum(map(_seconds, process.children(recursive=True))))


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
