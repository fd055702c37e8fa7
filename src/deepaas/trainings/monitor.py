"""Monitors a training from within its process: stores progress, metrics and memory."""

import contextlib
import itertools
import resource
import sys
import time
from _thread import allocate_lock, start_new_thread
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Self

import psutil

from deepaas import reporting
from deepaas.trainings.eta import EtaEstimator
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.progress_parser import MAX_LINE_LENGTH, ParsedMetrics, ProgressParser
from deepaas.trainings.tail import Tail
from deepaas.trainings.terminal_output import Row, TerminalLogReader

_POLL_INTERVAL_S = 0.5
_POLLS_PER_RENEWAL = 4
_MEBIBYTE = 1 << 20
_MAXRSS_UNITS_PER_MEBIBYTE = 1024 if sys.platform != "darwin" else _MEBIBYTE
_MAX_LOG_BYTES = 1 << 18
_MAX_ROWS_CHARACTERS = 2 * _MAX_LOG_BYTES


class TrainingMonitor:
    """A thread that polls a training's log, metrics and memory twice a second.

    A context manager. The thread calls `on_update` with changed values of the record, and `renew_lease`
    every two seconds.
    """

    def __init__(
        self,
        folder: TrainingFolder,
        on_update: Callable[..., None],
        renew_lease: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder = folder
        self._on_update = on_update
        self._renew_lease = renew_lease
        self._eta = EtaEstimator()
        self._log = TerminalLogReader(folder.log)
        self._reports = Tail(folder.metrics)
        self._parser = ProgressParser()
        self._has_reports = False
        self._metrics: dict[str, Any] = {}
        self._values: dict[str, Any] = {}
        self._sent: dict[str, Any] = {}
        self._peak_memory_mb = 0.0
        self._lock = allocate_lock()
        # Not of `threading`: user code may patch it, as gevent does, while they are used.
        self._running, self._finished = allocate_lock(), allocate_lock()

    def __enter__(self) -> Self:
        self._running.acquire()
        self._finished.acquire()
        start_new_thread(self._run, ())
        return self

    def __exit__(self, *_: object) -> None:
        self._running.release()
        self._finished.acquire()

    def poll(self) -> None:
        """Read new output and pass changed values to `on_update`."""
        self._refresh()
        with self._lock:
            values = dict(self._values)
        changed = {name: value for name, value in values.items() if self._sent.get(name) != value}
        if changed:
            self._on_update(**changed)
            self._sent |= changed

    def finish(self) -> dict[str, Any]:
        """Return the final values of the record, without waiting for the database."""
        # An error while reading the output must not change the outcome of the training.
        with contextlib.suppress(Exception):
            self._refresh(is_last=True)
        with self._lock:
            return {name: value for name, value in self._values.items() if name != "eta_s"}

    def _refresh(self, *, is_last: bool = False) -> None:
        with self._lock:
            self._values |= self._collect_values(is_last=is_last)

    def _collect_values(self, *, is_last: bool) -> dict[str, Any]:
        values = self._read_reports()
        self._log.skip_to_last(_MAX_LOG_BYTES)
        for row in self._read_rows():
            values |= self._parse_row(row)
        if is_last and not self._has_reports:
            self._write_reports(self._parser.finish())
        values |= self._read_reports()
        if "progress" in values:
            now_s = time.time()
            if not self._has_reports:
                # Log lines have no timestamp, so all lines of one poll share its time.
                self._eta.record(now_s, values["progress"])
            values["eta_s"] = self._eta.estimate_eta_s(now_s)
        values["peak_memory_mb"] = self._measure_peak_memory()
        return values

    def _run(self) -> None:
        try:
            self._poll_until_exit()
        finally:
            self._finished.release()

    def _poll_until_exit(self) -> None:
        for poll_number in itertools.count(1):
            if self._running.acquire(timeout=_POLL_INTERVAL_S):
                return
            # A full disk or a locked database must not stop the training; the next poll tries again.
            with contextlib.suppress(Exception):
                if poll_number % _POLLS_PER_RENEWAL == 0:
                    self._renew_lease()
            with contextlib.suppress(Exception):
                self.poll()

    def _read_reports(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for report in reporting.read_reports(self._reports.read_lines()):
            if not self._has_reports and not report.get("hint"):
                self._has_reports, self._eta = True, EtaEstimator()  # discard the pace of parsed hints
            if report["metrics"]:
                self._metrics = {**self._metrics, **report["metrics"]}
                values["metrics"] = self._metrics
            step, total = report["step"], report["total"]
            if isinstance(step, int | float) and isinstance(total, int | float) and total > 0:
                values["progress"] = max(0.0, min(1.0, step / total))
                self._eta.record(report["time"], values["progress"])
        return values

    def _read_rows(self) -> Iterable[Row]:
        """Return the rows that new log text draws; of more than `_MAX_ROWS_CHARACTERS`, the last ones.

        Each byte can redraw a long row, so reading all rows could take minutes and gigabytes.
        """
        rows: deque[Row] = deque()
        size = 0
        for row in self._log.read_rows():
            rows.append(row._replace(text=row.text[:MAX_LINE_LENGTH]))
            size += len(rows[-1].text)
            while size > _MAX_ROWS_CHARACTERS:
                size -= len(rows.popleft().text)
        return *rows, self._log.open_row

    def _parse_row(self, row: Row) -> dict[str, Any]:
        """Parse progress and metrics from a log row, unless the user code calls `deepaas.report`."""
        if self._has_reports:
            return {}
        self._write_reports(self._parser.feed(row))
        progress = self._parser.progress
        # None withdraws an earlier progress that turned out to measure something else.
        return {} if progress is None and self._values.get("progress") is None else {"progress": progress}

    def _write_reports(self, hints: list[ParsedMetrics]) -> None:
        for hint in hints:
            with contextlib.suppress(OSError):  # a full disk must not prevent progress updates
                reporting.write_report(
                    self._folder.path, step=hint.epoch, total=None, metrics=hint.values, is_hint=True
                )

    def _measure_peak_memory(self) -> float:
        with contextlib.suppress(psutil.Error):
            own = psutil.Process()
            family = [own, *own.children(recursive=True)]
            own_peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MAXRSS_UNITS_PER_MEBIBYTE
            used_mb = max(own_peak_mb, sum(_read_memory_mb(process) for process in family))
            self._peak_memory_mb = max(self._peak_memory_mb, round(used_mb, 1))
        return self._peak_memory_mb


def _read_memory_mb(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        return float(process.memory_info().rss) / _MEBIBYTE
    return 0.0
