"""Runs the server in this process until SIGTERM or SIGINT."""

import asyncio
import contextlib
import os
import signal
import threading
import warnings

import uvloop

from deepaas import log
from deepaas.bootstrap import build_service
from deepaas.cmd.interpreter_tuning import tune_for_serving
from deepaas.config.settings import Settings
from deepaas.http.app import build_app
from deepaas.http.context import RecentLogBuffer
from deepaas.http.server import bind_socket, is_loopback_socket, serve
from deepaas.log import get_logger
from deepaas.metrics import Metrics
from deepaas.service import Service
from deepaas.thread_pools import DEFAULT_EXECUTOR

_EXIT_GRACE_S = 1.0
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_log = get_logger("deepaas.run")


def serve_until_stopped(settings: Settings) -> None:
    """Serve models until a signal. Raise `DeepaasError` if the server cannot start."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))
        _force_exit_later()


async def _serve(settings: Settings) -> None:
    """Serve until a signal; a signal during the start cancels the start."""
    asyncio.get_running_loop().set_default_executor(DEFAULT_EXECUTOR)
    stop, force = _install_signal_handlers()
    is_serving = asyncio.Event()
    serving = asyncio.create_task(_serve_until(stop, force, is_serving, settings))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not is_serving.is_set():
        serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


async def _serve_until(
    stop: asyncio.Event, force: asyncio.Event, is_serving: asyncio.Event, settings: Settings
) -> None:
    output, metrics = RecentLogBuffer(), Metrics()
    if settings.debug_endpoint:
        log.add_handler(output)
        _log.warning("The debug endpoint is on: clients with access to it can read the models' output")
    with bind_socket(settings) as taken:
        if not (is_loopback_socket(taken) or settings.auth_token_file or settings.auth_token):
            _log.warning(
                "No tokens are set: anybody who can reach %s may predict, train and read trainings; "
                "set --auth-token-file",
                settings.listen_ip,
            )
        on_output = output.write if settings.debug_endpoint else None
        service = build_service(settings, metrics, force, on_output)
        _warn_about_multiple_models(service)
        app = build_app(service, settings, metrics, output, is_local=is_loopback_socket(taken))
        async with service, serve(app, taken, settings, force):
            await service.wait_started()
            is_serving.set()
            tune_for_serving()
            _log_urls(settings, taken.getsockname()[1], service)
            await stop.wait()
            _log.info("Shutting down; press Ctrl+C again to force")


def _force_exit_later() -> None:
    """Exit the process after `_EXIT_GRACE_S`, even if a thread waits for a disk or for the database."""
    timer = threading.Timer(_EXIT_GRACE_S, os._exit, (0,))
    timer.daemon = True
    timer.start()


def _install_signal_handlers() -> tuple[asyncio.Event, asyncio.Event]:
    """Return an event that the first signal sets, and one that the second signal sets."""
    stop, force = asyncio.Event(), asyncio.Event()

    def handle_signal() -> None:
        (force if stop.is_set() else stop).set()

    for number in _STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, handle_signal)
    return stop, force


def _warn_about_multiple_models(service: Service) -> None:
    if len(service.models) > 1:
        names = ", ".join(service.models)
        message = f"Serving several models at once is deprecated: choose one of {names} with --model-name."
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        _log.warning("%s", message)


def _log_urls(settings: Settings, port: int, service: Service) -> None:
    host = f"[{settings.listen_ip}]" if ":" in settings.listen_ip else settings.listen_ip
    scheme = "https" if settings.tls_cert else "http"
    root = f"{scheme}://{host}:{port}{settings.base_path}"
    _log.info("Serving %s on %s", ", ".join(service.models), root)
    pages = {"Web UI": "/ui", "API docs": "/api"} if settings.doc_endpoint else {}
    for label, path in (pages | {"Models": "/v2/models/"}).items():
        _log.info("%s: %s%s", label, root, path)
