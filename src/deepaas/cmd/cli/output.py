"""Output of `deepaas-cli`: lines that scripts for 2.6 parse, and errors on standard error."""

import contextlib
import errno
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import click

from deepaas import log
from deepaas.cmd.options import InvalidSettings
from deepaas.errors import DeepaasError, InvalidArguments, SettingsError, format_messages
from deepaas.standard_streams import duplicate_stream, open_standard_streams, take_write_error

LOGGER_NAME = "deepaas.cmd.cli"
_STREAM_KEY = f"{__name__}.stream"
_OUTPUT_PREFIX = "===================> New output is"
_log = log.get_logger(LOGGER_NAME)


class CliError(click.ClickException):
    """An error that exits with 1, after the traceback of user code, if any."""

    def __init__(self, message: str, trace: str = "") -> None:
        super().__init__(message)
        self.trace = trace

    def show(self, file: Any = None) -> None:
        """Print the traceback and the message to standard error."""
        if self.trace:
            click.echo(self.trace.rstrip(), file=file or sys.stderr)
        super().show(file)


@contextlib.contextmanager
def short_errors() -> Iterator[None]:
    """Report expected errors without deepaas's traceback, and usage errors in one line."""
    try:
        yield
    except click.UsageError as error:
        error.ctx = None  # otherwise click also prints the usage
        raise
    except InvalidArguments as error:
        flags = (f"--{key}: {format_messages(messages)}" for key, messages in error.messages.items())
        raise click.UsageError("; ".join(flags)) from error
    except SettingsError as error:
        raise InvalidSettings(error.message) from error
    except DeepaasError as error:
        raise CliError(error.message, getattr(error, "detail", "")) from error
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # the reader closed the pipe; click handles this
        raise CliError(str(error)) from error


def open_output(ctx: click.Context) -> TextIO:
    """Prepare the standard streams for user code, and return the stream for the lines of `print_line`."""
    open_standard_streams()
    stream = duplicate_stream(sys.stdout)
    ctx.meta[_STREAM_KEY] = stream
    return stream


def log_call(method: str | None) -> None:
    """Log that `method` is called; `None` stands for a command line without a method, as in 2.6."""
    _log.info("%s was called.", method)


def print_result(result: object) -> None:
    """Print `str(result)` as the last line, which scripts read."""
    _print_log_line(logging.INFO, f"return: {result}")


def print_json(value: Any) -> None:
    """Print JSON values as the last line, in the default format of Python's `json`, as in 2.6."""
    print_result(json.dumps(value))


def print_saved_path(path: Path) -> None:
    """Print the last line of a method that wrote its result to a file."""
    print_result(f"Output is saved in {path}")


def print_output_path(path: Path) -> None:
    """Print the path of an output file whose name differs from the one on the command line."""
    print_line(f"{_OUTPUT_PREFIX} {path}")


def print_renamed_path(requested: Path, written: Path) -> None:
    """Print that the output file got the suffix of its media type."""
    warning = (
        f"You are trying to store {written.suffix} type data in the file with {requested.suffix} extension!"
    )
    _print_log_line(logging.WARNING, warning)
    print_output_path(written)


def _print_log_line(level: int, message: str) -> None:
    """Print a log line to stdout, regardless of the log level and log file, as in 2.6."""
    start = logging.LogRecord(LOGGER_NAME, level, __file__, 0, "", None, None)
    print_line(log.LineFormatter().formatMessage(start) + message)


def print_line(line: str) -> None:
    """Print a line and flush it. Raise `OSError` if it cannot be written, unlike what user code prints."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stdout.flush()  # what user code has printed comes first
    stream: TextIO = click.get_current_context().meta[_STREAM_KEY]
    take_write_error(stream)
    click.echo(line, file=stream)
    error = take_write_error(stream)
    if error:
        raise error
