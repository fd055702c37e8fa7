"""What a curve is, and the processor time that explains one."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import psutil

from benchmarks.systems.running import Running

Points = dict[int, float]


@dataclasses.dataclass(frozen=True)
class Curve:
    """Lines over the same axes, by name.

    A curve that `is_drawn` is a panel of the plot; every one is a table.
    """

    title: str
    x: str
    y: str
    lines: Mapping[str, Points]
    is_drawn: bool = True


def medians(rounds: Sequence[Curve]) -> Curve:
    """Return one curve of the medians of the same curve in several rounds."""
    lines = {
        name: {x: statistics.median(curve.lines[name][x] for curve in rounds) for x in points}
        for name, points in rounds[0].lines.items()
    }
    return dataclasses.replace(rounds[0], lines=lines)


class Spent(NamedTuple):
    """Seconds of processor time."""

    server_s: float
    workers_s: float


def spent(running: Running) -> Spent:
    """Return what a server's process, and those that it started, have used until now."""
    process = psutil.Process(running.pid)
    return Spent(_seconds(process), sum(map(_seconds, process.children(recursive=True))))


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
