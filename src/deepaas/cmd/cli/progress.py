"""Owns how far a batch is, on a terminal or in a log. Must not know what it is made of."""

import contextlib
import sys
import time
from typing import Any, Self

import click

from deepaas.batch.manifest import Line
from deepaas.cmd.cli.telling import NAME
from deepaas.log import get_logger

_BETWEEN_LINES_S = 5.0
_log = get_logger(NAME)


class Progress:
    """A bar with rate and remaining time on a terminal, else a line now and then.

    Use it as a context manager.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._ended = self._predicted = 0
        self._began = self._said = time.monotonic()
        self._open = contextlib.ExitStack()
        self._bar: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            bar: Any = click.progressbar(
                length=self._total,
                file=sys.stderr,
                show_eta=False,  # it comes with the rate, and counts what was predicted alone
                show_pos=True,
                item_show_func=lambda _: self._pace(),
            )
            self._bar = self._open.enter_context(bar)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def note(self, _: Line, was_known: bool) -> None:  # noqa: FBT001 - a callback
        """Take notice of an input that has come to its end."""
        self._ended += 1
        self._predicted += not was_known
        if self._bar:
            self._bar.update(1)
        elif self._ended == self._total or time.monotonic() - self._said > _BETWEEN_LINES_S:
            self._said = time.monotonic()
            _log.info("%d of %d, %s", self._ended, self._total, self._pace())

    def _pace(self) -> str:
        """Return predictions a second, and the time that the rest will take, as H:MM:SS."""
        rate = self._predicted / max(time.monotonic() - self._began, 1e-6)
        if not self._predicted:
            return "nothing predicted yet"
        minutes, seconds = divmod(round((self._total - self._ended) / rate), 60)
        return f"{rate:.1f}/s, {minutes // 60}:{minutes % 60:02}:{seconds:02} to go"
