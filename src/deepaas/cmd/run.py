"""`deepaas-run`: serve models until told to stop."""

import gc
import sys

from deepaas import log
from deepaas.cmd.options import command
from deepaas.config.settings import Settings
from deepaas.errors import DeepaasError, SettingsError
from deepaas.log import get_logger

_log = get_logger("deepaas.run")


@command("deepaas-run")
def main(settings: Settings) -> None:
    """Serve the installed models over REST, each in worker processes of its own."""
    level = "DEBUG" if settings.debug else settings.log_level
    log.configure(level, file=settings.log_file, log_format=settings.log_format)
    try:
        _serve(settings)
    except SettingsError:
        raise
    except DeepaasError as error:
        said, _, more = error.message.partition("\n")
        _log.critical("%s", said, extra=log.traceback_extra(more or getattr(error, "detail", "")))
        sys.exit(1)


def _serve(settings: Settings) -> None:
    """Import the server, which `--help` and a wrong option need not wait for, and run it.

    Modules create no garbage, so looking for it would only make the import a tenth slower.
    """
    gc.disable()
    from deepaas.cmd.serve import serve_until_stopped  # noqa: PLC0415

    gc.enable()
    serve_until_stopped(settings)


if __name__ == "__main__":
    main()
