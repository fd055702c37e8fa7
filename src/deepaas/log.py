"""Format and destination of the log lines of this package and of models.

Models may reconfigure `logging` when they are imported: remove handlers, disable existing loggers, or switch
logging off. This package's loggers therefore have their own manager; both write to the same destination.
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
"""The id of the current request, `-` outside of requests; part of every log line."""


class LineFormatter(logging.Formatter):
    """Formats a record as one line with control characters escaped; only tracebacks add lines."""

    default_msec_format = "%s.%03d"

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, followed by the lines of its traceback and of `extra={"trace": text}`, escaped."""
        lines = super().format(record).split("\n")
        lines += getattr(record, "trace", "").rstrip().splitlines()
        return "\n".join(map(escape_unprintable, lines))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Return `TIME PID LEVEL LOGGER [REQUEST_ID] MESSAGE`."""
        start = f"{self.formatTime(record)} {record.process} {record.levelname} {record.name}"
        return f"{start} [{escape_unprintable(request_id.get())}] {escape_unprintable(record.getMessage())}"


class JsonFormatter(LineFormatter):
    """Formats a record as one line of JSON."""

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
    """Return the `extra` for logging a traceback that is available as text, such as from another process."""
    return {"trace": trace}


def escape_unprintable(text: str) -> str:
    r"""Escape unprintable characters (a newline becomes `\n`), so that text cannot forge log lines."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def get_logger(name: str) -> logging.Logger:
    """Return a logger of this package, which models cannot disable."""
    return _MANAGER.getLogger(name)


def add_handler(handler: logging.Handler) -> None:
    """Add a handler for the log records of this package and of models."""
    for root in _get_root_loggers():
        root.addHandler(handler)


def buffer_until_configured() -> None:
    """Buffer log records until `configure` is called."""
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

    `log_format` is `text` or `json`. With `also_stderr`, lines go to both `file` and the stream. A second
    call also removes handlers of `add_handler`; handlers with other formatters stay. Raise `SettingsError` if
    `file` cannot be written.
    """
    stream = stream or sys.stderr

    def target() -> logging.Handler:
        return _open_log_file(file, stream) if file else logging.StreamHandler(stream)

    formatter = JsonFormatter() if log_format == "json" else LineFormatter()
    least = logging.getLevelNamesMapping()[level.upper()]
    held = _install_handlers(target, least, formatter)
    if file and also_stderr:
        repeating = logging.StreamHandler(stream)
        repeating.setFormatter(formatter)
        add_handler(repeating)
    for record in held:
        if record.levelno >= least:
            _MANAGER.root.handle(record)


class _LogFileHandler(logging.handlers.WatchedFileHandler):
    """Appends to a file, and reopens it after a rotation; sends what it does not take to `fallback`."""

    def __init__(self, file: str, fallback: TextIO) -> None:
        super().__init__(file, encoding="utf-8", errors="backslashreplace")
        self._fallback = fallback

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record. Errors of the file are not errors of the code that logs."""
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Send the line elsewhere, if the file is the cause."""
        if isinstance(sys.exc_info()[1], OSError):
            self._fallback.write(f"{self.format(record)}\n")
            self._fallback.flush()
        else:
            super().handleError(record)


def _open_log_file(file: str, fallback: TextIO) -> logging.Handler:
    try:
        return _LogFileHandler(file, fallback)
    except OSError as error:
        raise SettingsError(
            f"The log file {file} cannot be written ({error.strerror}): name another with --log-file."
        ) from error


def _install_handlers(
    make_handler: Callable[[], logging.Handler], level: int, formatter: LineFormatter
) -> list[logging.LogRecord]:
    """Replace our handler on each root logger; return the buffered records of the old ones.

    The root loggers do not share a handler, since models may change the handlers that they find.
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
    """Return the root loggers of this package and of `logging`."""
    return _MANAGER.root, logging.getLogger()


def _create_manager() -> logging.Manager:
    manager = logging.Manager(logging.RootLogger(logging.WARNING))
    manager.root.manager = manager
    manager.setLoggerClass(logging.Logger)  # not the class that user code sets for its loggers
    return manager


_MANAGER = _create_manager()
