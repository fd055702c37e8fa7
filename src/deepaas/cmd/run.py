"""`deepaas-run`: serve models until told to stop."""

import asyncio
import logging
import signal
import sys
import warnings

import uvloop

from deepaas import log
from deepaas.cmd.options import command
from deepaas.errors import DeepaasError, SettingsError
from deepaas.http.app import bind, build_app, listening
from deepaas.http.output import RecentOutput
from deepaas.service import Service, build_service
from deepaas.settings import Settings

_log = logging.getLogger("deepaas.run")


@command("deepaas-run")
def main(settings: Settings) -> None:
    """Serve the installed models over REST, each in worker processes of its own."""
    log.configure("DEBUG" if settings.debug else settings.log_level, file=settings.log_file)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings))
    except SettingsError:
        raise
    except DeepaasError as error:
        _log.critical("%s", error, extra=log.with_trace(getattr(error, "detail", "")))
        sys.exit(1)


async def _serve(settings: Settings) -> None:
    stop = _stop_on_signals()
    output = RecentOutput()
    if settings.debug_endpoint:
        logging.getLogger().addHandler(output)
    with bind(settings) as taken:
        service = build_service(settings, output.take if settings.debug_endpoint else None)
        _warn_about_several(service)
        async with service, listening(build_app(service, settings, output), taken):
            _say_where(settings, taken.getsockname()[1], service)
            await stop.wait()
            _log.info("Stopping")


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _warn_about_several(service: Service) -> None:
    if len(service.models) > 1:
        names = ", ".join(service.models)
        message = f"Serving several models at once is deprecated: choose one of {names} with --model-name."
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        _log.warning("%s", message)


def _say_where(settings: Settings, port: int, service: Service) -> None:
    host = f"[{settings.listen_ip}]" if ":" in settings.listen_ip else settings.listen_ip
    root = f"http://{host}:{port}{settings.base_path}"
    _log.info("Serving %s on %s", ", ".join(service.models), root)
    pages = {"Web page": "/ui", "API documentation": "/api"} if settings.doc_endpoint else {}
    for what, path in (pages | {"Models": "/v2/models/"}).items():
        _log.info("%s: %s%s", what, root, path)


if __name__ == "__main__":
    main()
