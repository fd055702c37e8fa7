"""Reports the progress of a batch, on a terminal or in the log."""

import contextlib
import sys
import time
from typing import Any, Self

import click

from deepaas.batch.manifest import ManifestEntry
from deepaas.cmd.cli.output import LOGGER_NAME
from deepaas.log import get_logger

_LOG_INTERVAL_S = 5.0
_log = get_logger(LOGGER_NAME)


class ProgressReporter:
    """A progress bar with rate and remaining time on a terminal, else a log line every few seconds.

    Use it as a context manager.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._finished_count = self._predicted_count = 0
        self._started_s = self._logged_s = time.monotonic()
        self._exit_stack = contextlib.ExitStack()
        self._bar: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            bar: Any = click.progressbar(
                length=self._total,
                file=sys.stderr,
                show_eta=False,  # `_format_rate` has the remaining time, without reused results
                show_pos=True,
                item_show_func=lambda _: self._format_rate(),
            )
            self._bar = self._exit_stack.enter_context(bar)
        return self

    def __exit__(self, *_: object) -> None:
        self._exit_stack.close()

    def record(self, _: ManifestEntry, was_reused: bool) -> None:  # noqa: FBT001 - a callback
        """Count a finished input; `was_reused` if its result existed already."""
        self._finished_count += 1
        self._predicted_count += not was_reused
        if self._bar:
            self._bar.update(1)
        elif self._finished_count == self._total or time.monotonic() - self._logged_s > _LOG_INTERVAL_S:
            self._logged_s = time.monotonic()
            _log.info("%d of %d, %s", self._finished_count, self._total, self._format_rate())

    def _format_rate(self) -> str:
        """Return the predictions per second, and the remaining time as H:MM:SS."""
        rate = self._predicted_count / max(time.monotonic() - self._started_s, 1e-6)
        if not self._predicted_count:
            return "all skipped" if self._finished_count == self._total else "nothing predicted yet"
        minutes, seconds = divmod(round((self._total - self._finished_count) / rate), 60)
        return f"{rate:.1f}/s, {minutes // 60}:{minutes % 60:02}:{seconds:02} to go"
