"""`deepaas-run`: serves models until it receives a signal."""

import gc
import sys

from deepaas import log
from deepaas.cmd.options import command
from deepaas.config.settings import Settings
from deepaas.errors import DeepaasError, SettingsError
from deepaas.log import get_logger
from deepaas.standard_streams import open_standard_streams

_log = get_logger("deepaas.run")


@command("deepaas-run")
def main(settings: Settings) -> None:
    """Serve the installed models over HTTP, each in separate worker processes."""
    open_standard_streams()
    level = "DEBUG" if settings.debug else settings.log_level
    log.configure(level, file=settings.log_file, log_format=settings.log_format)
    try:
        _serve(settings)
    except SettingsError:
        raise
    except DeepaasError as error:
        summary, _, details = error.message.partition("\n")
        _log.critical("%s", summary, extra=log.traceback_extra(details or getattr(error, "detail", "")))
        sys.exit(1)


def _serve(settings: Settings) -> None:
    """Import and run the server; `--help` and invalid options do not wait for the import.

    Garbage collection is off during the import, which creates no garbage and takes 10 % less time so.
    """
    gc.disable()
    from deepaas.cmd.serve import serve_until_stopped  # noqa: PLC0415

    gc.enable()
    serve_until_stopped(settings)


if __name__ == "__main__":
    main()
