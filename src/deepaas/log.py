"""How log lines look and where they go, those of this package and those of models.

Models may take Python's loggers over when they are imported: remove handlers, disable the loggers that exist,
or switch logging off. So the loggers of this package are not among Python's; both write to the same place.
"""

import json
import logging
import logging.handlers
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import TextIO

from deepaas.errors import SettingsError

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""The identifier of the request being answered, `-` outside of one; it is part of every log line."""


class LineFormatter(logging.Formatter):
    """Writes a record as one line, whatever is in its message; only a traceback adds lines."""

    default_msec_format = "%s.%03d"

    def format(self, record: logging.LogRecord) -> str:
        """Return the line and the lines of its traceback, or below it of `extra={"trace": text}`, escaped."""
        lines = super().format(record).split("\n")
        lines += getattr(record, "trace", "").rstrip().splitlines()
        return "\n".join(map(escape_unprintable, lines))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Return `TIME PID LEVEL LOGGER [REQUEST_ID] MESSAGE`."""
        start = f"{self.formatTime(record)} {record.process} {record.levelname} {record.name}"
        return f"{start} [{escape_unprintable(request_id.get())}] {escape_unprintable(record.getMessage())}"


class JsonFormatter(LineFormatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return an object with time, level, logger, pid, request_id, message and, if any, traceback."""
        line = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "pid": record.process,
            "request_id": request_id.get(),
            "message": record.getMessage(),
        }
        trace = getattr(record, "trace", "")
        if record.exc_info:
            trace = logging.Formatter.formatException(self, record.exc_info)
        return json.dumps(line | ({"traceback": trace} if trace else {}))


def traceback_extra(trace: str) -> dict[str, str]:
    """Return what to log as `extra` for a traceback that is a text, since it was made elsewhere."""
    return {"trace": trace}


def escape_unprintable(text: str) -> str:
    r"""Return `text` with what cannot be printed spelled out (a newline as `\n`): nothing forges a line."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def get_logger(name: str) -> logging.Logger:
    """Return a logger of this package, which no model can switch off."""
    return _MANAGER.getLogger(name)


def add_handler(handler: logging.Handler) -> None:
    """Have `handler` receive what this package and models log."""
    for root in _get_root_loggers():
        root.addHandler(handler)


def buffer_until_configured() -> None:
    """Keep what is logged from now on until `configure` says where it goes."""
    _install_handlers(
        lambda: logging.handlers.MemoryHandler(capacity=sys.maxsize), logging.DEBUG, LineFormatter()
    )


def configure(
    level: str = "INFO",
    *,
    file: str = "",
    stream: TextIO | None = None,
    log_format: str = "text",
    also_stderr: bool = False,
) -> None:
    """Send log lines of `level` and above to `file`, else to `stream`, else to standard error.

    `log_format` is `text` or `json`. With `also_stderr`, what goes to `file` goes to standard error too.

    Doing it again replaces what it did before and leaves other handlers alone. SettingsError: `file` cannot
    be written.
    """

    def target() -> logging.Handler:
        return _open_log_file(file) if file else logging.StreamHandler(stream or sys.stderr)

    formatter = JsonFormatter() if log_format == "json" else LineFormatter()
    least = logging.getLevelNamesMapping()[level.upper()]
    held = _install_handlers(target, least, formatter)
    if file and also_stderr:
        repeating = logging.StreamHandler(sys.stderr)
        repeating.setFormatter(formatter)
        add_handler(repeating)
    for record in held:
        if record.levelno >= least:
            _MANAGER.root.handle(record)


def _open_log_file(file: str) -> logging.Handler:
    """Return what appends to `file` and opens it again after it was moved away."""
    try:
        return logging.handlers.WatchedFileHandler(file, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise SettingsError(
            f"The log file {file} cannot be written ({error.strerror}): name another with --log-file."
        ) from error


def _install_handlers(
    make_handler: Callable[[], logging.Handler], level: int, formatter: LineFormatter
) -> list[logging.LogRecord]:
    """Put a new handler in the place of ours on each root logger; return the records that ours were holding.

    Each has a handler of its own, since models change the handlers that they find.
    """
    held: list[logging.LogRecord] = []
    for root, target in [(root, make_handler()) for root in _get_root_loggers()]:
        ours = [one for one in root.handlers if isinstance(one.formatter, LineFormatter)]
        target.setFormatter(formatter)
        root.addHandler(target)
        root.setLevel(level)
        held += [record for one in ours for record in getattr(one, "buffer", [])]
        for one in ours:
            root.removeHandler(one)
            one.close()
    return sorted(held, key=lambda record: record.created)


def _get_root_loggers() -> tuple[logging.Logger, logging.Logger]:
    """Return the root of this package's loggers, and that of Python's."""
    return _MANAGER.root, logging.getLogger()


def _create_manager() -> logging.Manager:
    manager = logging.Manager(logging.RootLogger(logging.WARNING))
    manager.root.manager = manager
    return manager


_MANAGER = _create_manager()
