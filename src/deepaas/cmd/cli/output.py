"""Lines that `deepaas-cli` prints, which scripts of 2.6 parse, and errors on standard error."""

import contextlib
import errno
import io
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from deepaas import log
from deepaas.cmd.options import InvalidSettings
from deepaas.errors import DeepaasError, InvalidArguments, SettingsError

LOGGER_NAME = "deepaas.cmd.cli"
_OUTPUT_PREFIX = "===================> New output is"
_log = log.get_logger(LOGGER_NAME)


class CliError(click.ClickException):
    """Prints what went wrong, and the traceback of the model's code if that is where, and exits with 1."""

    def __init__(self, message: str, trace: str = "") -> None:
        super().__init__(message)
        self.trace = trace

    def show(self, file: Any = None) -> None:
        """Print it to standard error."""
        if self.trace:
            click.echo(self.trace.rstrip(), file=file or sys.stderr)
        super().show(file)


@contextlib.contextmanager
def short_errors() -> Iterator[None]:
    """Tell errors that were foreseen without a traceback of ours, and wrong usage in one line."""
    try:
        yield
    except click.UsageError as error:
        error.ctx = None  # with it, click would print the usage too
        raise
    except InvalidArguments as error:
        raise click.UsageError(_format_messages(error.messages)) from error
    except SettingsError as error:
        raise InvalidSettings(error.message) from error
    except DeepaasError as error:
        raise CliError(error.message, getattr(error, "detail", "")) from error
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # nobody reads any more, which click sees to
        raise CliError(str(error)) from error


def escape_unencodable() -> None:
    """Let what standard output's encoding has no characters for be spelled out, not an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def log_call(method: str | None) -> None:
    """Log that `method` is called; `None` is the command line without a method, as in 2.6."""
    _log.info("%s was called.", method)


def print_result(result: object) -> None:
    """Print the last line, which scripts read: `str` of the result."""
    _print_log_line(logging.INFO, f"return: {result}")


def print_json(value: Any) -> None:
    """Print the last line with plain JSON values, written as Python's `json` does by default, as in 2.6."""
    print_result(json.dumps(value))


def print_saved_path(path: Path) -> None:
    """Print the last line of a method whose result is in a file."""
    print_result(f"Output is saved in {path}")


def print_output_path(path: Path) -> None:
    """Print the name of an output file that the command line does not name so."""
    print_line(f"{_OUTPUT_PREFIX} {path}")


def print_renamed_path(requested: Path, written: Path) -> None:
    """Print that the output has the suffix of its media type behind the name on the command line."""
    warning = (
        f"You are trying to store {written.suffix} type data in the file with {requested.suffix} extension!"
    )
    _print_log_line(logging.WARNING, warning)
    print_output_path(written)


def _print_log_line(level: int, message: str) -> None:
    """Print a log line whatever the level and the place of log lines; the message as it is, as in 2.6."""
    start = logging.LogRecord(LOGGER_NAME, level, __file__, 0, "", None, None)
    print_line(log.LineFormatter().formatMessage(start) + message)


def _format_messages(messages: Mapping[str, Any]) -> str:
    """Return validation messages as one line that names the flags."""
    return "; ".join(f"--{key}: {_join_messages(problem)}" for key, problem in messages.items())


def _join_messages(messages: Any) -> str:
    if isinstance(messages, Mapping):
        return ", ".join(f"{key}: {_join_messages(item)}" for key, item in messages.items())
    return " ".join(map(str, messages)) if isinstance(messages, list) else str(messages)


def print_line(line: str) -> None:
    """Print a line at once."""
    click.echo(line)
    sys.stdout.flush()
