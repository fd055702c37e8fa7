"""Owns what `deepaas-cli` says: the lines that scripts read on standard output, and errors on standard error.

Must not know what was asked for.
"""

import contextlib
import errno
import io
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from deepaas import log
from deepaas.cmd.options import UnusableSettings
from deepaas.errors import DeepaasError, InvalidArguments, SettingsError

NAME = "deepaas.cmd.cli"
_OUTPUT = "===================> New output is"


class Failure(click.ClickException):
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
def one_line() -> Iterator[None]:
    """Tell errors that were foreseen without a traceback of ours, and wrong usage in one line."""
    try:
        yield
    except click.UsageError as error:
        error.ctx = None  # with it, click would print the usage too
        raise
    except InvalidArguments as error:
        raise click.UsageError(_named(error.messages)) from error
    except SettingsError as error:
        raise UnusableSettings(error.message) from error
    except DeepaasError as error:
        raise Failure(error.message, getattr(error, "detail", "")) from error
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # nobody reads any more, which click sees to
        raise Failure(str(error)) from error


def spell_out() -> None:
    """Let what standard output's encoding has no characters for be spelled out, not an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def say_result(result: Any) -> None:
    """Print the last line, which scripts read: the result as Python would write it.

    It is printed whatever the level and the place of log lines.
    """
    record = logging.LogRecord(NAME, logging.INFO, __file__, 0, f"return: {result!r}", None, None)
    say(log.LineFormatter().format(record))


def say_output(path: Path) -> None:
    """Print that the output has another name than it was given."""
    say(f"{_OUTPUT} {path}")


def _named(messages: Mapping[str, Any]) -> str:
    """Return validation messages as one line that names the flags."""
    return "; ".join(f"--{key}: {_joined(problem)}" for key, problem in messages.items())


def _joined(problem: Any) -> str:
    if isinstance(problem, Mapping):
        return ", ".join(f"{key}: {_joined(item)}" for key, item in problem.items())
    return " ".join(map(str, problem)) if isinstance(problem, list) else str(problem)


def say(line: str) -> None:
    """Print a line at once."""
    click.echo(line)
    sys.stdout.flush()
