"""Watching a training from within its process: what it prints and reports becomes progress in the store.

It must not know what the training does.
"""

import contextlib
import itertools
import resource
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Self

import psutil

from deepaas import reporting
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.hints import LONGEST_LINE, Hints, Metrics
from deepaas.trainings.pace import Pace
from deepaas.trainings.tail import Tail
from deepaas.trainings.terminal import Lines, Row

_LOOK_S = 0.5
_LOOKS_BETWEEN_BEATS = 4
_MEBIBYTE = 1 << 20
_KIBIBYTES_A_MEBIBYTE = 1024 if sys.platform != "darwin" else _MEBIBYTE
_LOOKED_AT_BYTES = 1 << 18
_ROWS_LIMIT_CHARACTERS = 2 * _LOOKED_AT_BYTES


class Watch:
    """A thread that looks at a training's log, metrics and memory twice a second.

    Use it as a context manager. `note` is called with the values of the record that have changed, `beat`
    every two seconds.
    """

    def __init__(
        self, folder: TrainingFolder, note: Callable[..., None], beat: Callable[[], None] = lambda: None
    ) -> None:
        self._folder = folder
        self._note = note
        self._beat = beat
        self._pace = Pace()
        self._log = Lines(folder.log)
        self._reports = Tail(folder.metrics)
        self._hints = Hints()
        self._reported = False
        self._metrics: dict[str, Any] = {}
        self._values: dict[str, Any] = {}
        self._noted: dict[str, Any] = {}
        self._peak_memory_mb = 0.0
        self._reading = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="deepaas-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def look(self) -> None:
        """Read what is new, and note what it changed."""
        self._read()
        with self._reading:
            values = dict(self._values)
        changed = {name: value for name, value in values.items() if self._noted.get(name) != value}
        if changed:
            self._note(**changed)
            self._noted |= changed

    def finish(self) -> dict[str, Any]:
        """Return the last values of the record, when the training has ended; it never waits for the store."""
        # Nothing that a training printed may change how it ended.
        with contextlib.suppress(Exception):
            self._read(is_last=True)
        with self._reading:
            return {name: value for name, value in self._values.items() if name != "eta_s"}

    def _read(self, *, is_last: bool = False) -> None:
        with self._reading:
            self._values |= self._changes(is_last=is_last)

    def _changes(self, *, is_last: bool) -> dict[str, Any]:
        values = self._from_reports()
        self._log.skip_to_last(_LOOKED_AT_BYTES)
        for row in self._rows():
            values |= self._from_log(row)
        if is_last and not self._reported:
            self._report(self._hints.finish())
        values |= self._from_reports()
        if "progress" in values:
            now_s = time.time()
            if not self._reported:
                # Lines say not when they were printed: those that are read together have one time.
                self._pace.note(now_s, values["progress"])
            values["eta_s"] = self._pace.eta_s(now_s)
        values["peak_memory_mb"] = self._peak()
        return values

    def _run(self) -> None:
        for look in itertools.count(1):
            if self._stop.wait(_LOOK_S):
                return
            # A full disk or a locked store must not end the training; the next look tries again.
            with contextlib.suppress(Exception):
                if look % _LOOKS_BETWEEN_BEATS == 0:
                    self._beat()
            with contextlib.suppress(Exception):
                self.look()

    def _from_reports(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for said in reporting.read(self._reports.lines()):
            if not self._reported and not said.get("hint"):
                self._reported, self._pace = True, Pace()  # that of hints counts no more
            if said["metrics"]:
                self._metrics = {**self._metrics, **said["metrics"]}
                values["metrics"] = self._metrics
            step, total = said["step"], said["total"]
            if isinstance(step, int | float) and isinstance(total, int | float) and total > 0:
                values["progress"] = max(0.0, min(1.0, step / total))
                self._pace.note(said["time"], values["progress"])
        return values

    def _rows(self) -> Iterable[Row]:
        """Return the rows that new text in the log draws, the last ones where their text is much longer.

        A byte can draw a long row again, so reading all of them could take minutes and gigabytes.
        """
        rows: deque[Row] = deque()
        size = 0
        for row in self._log.rows():
            rows.append(row._replace(text=row.text[:LONGEST_LINE]))
            size += len(rows[-1].text)
            while size > _ROWS_LIMIT_CHARACTERS:
                size -= len(rows.popleft().text)
        return *rows, self._log.open_row

    def _from_log(self, row: Row) -> dict[str, Any]:
        """Take hints from a row of the log, unless the author's code reports by itself."""
        if self._reported:
            return {}
        self._report(self._hints.read(row))
        progress = self._hints.progress
        # What turned out to be no measure of the training is taken back.
        return {} if progress is None and self._values.get("progress") is None else {"progress": progress}

    def _report(self, hints: list[Metrics]) -> None:
        for hint in hints:
            with contextlib.suppress(OSError):  # a full disk must not cost the progress, too
                reporting.write(
                    self._folder.path, step=hint.epoch, total=None, metrics=hint.values, hint=True
                )

    def _peak(self) -> float:
        with contextlib.suppress(psutil.Error):
            own = psutil.Process()
            family = [own, *own.children(recursive=True)]
            own_peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIBIBYTES_A_MEBIBYTE
            used_mb = max(own_peak_mb, sum(_memory_mb(process) for process in family))
            self._peak_memory_mb = max(self._peak_memory_mb, round(used_mb, 1))
        return self._peak_memory_mb


def _memory_mb(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        return float(process.memory_info().rss) / _MEBIBYTE
    return 0.0
