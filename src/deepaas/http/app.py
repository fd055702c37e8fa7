"""The web application: a service made reachable, and the server that listens for it."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

from aiohttp import web

from deepaas.errors import SettingsError
from deepaas.http.access import read_tokens
from deepaas.http.browsers import BrowserPolicy, is_loopback
from deepaas.http.connection import Connection
from deepaas.http.cors import allow_origins
from deepaas.http.following import encode_event
from deepaas.http.front import front
from deepaas.http.keys import (
    BROWSERS,
    EVENTS,
    METRICS,
    OUTPUT,
    SCOPES,
    SERVICE,
    SETTINGS,
    STOPPING,
    TOKENS,
    UNDER_WAY,
)
from deepaas.http.output import RecentOutput
from deepaas.http.routes import add_routes
from deepaas.http.shortcut import Shortcut
from deepaas.http.under_way import UnderWay
from deepaas.metrics import Metrics
from deepaas.service import Service
from deepaas.settings import Settings
from deepaas.trainings.events import Events

_BACKLOG = 1024
_AT_ONCE_S = 0.5  # for the last bytes of answers; aiohttp takes 0 for ever


def build_app(
    service: Service, settings: Settings, metrics: Metrics, output: RecentOutput, *, is_local: bool
) -> web.Application:
    """Return the application that serves `service`, to this machine only if `is_local`.

    Raise `SettingsError` for tokens that cannot be read.
    """
    app = web.Application(middlewares=[front])
    if settings.cors_origin:
        allow_origins(app, settings.cors_origin)
    app[SERVICE] = service
    app[SETTINGS] = settings
    app[METRICS] = metrics
    app[TOKENS] = read_tokens(settings)
    app[BROWSERS] = BrowserPolicy(settings, checks_hosts=is_local and not app[TOKENS])
    app[SCOPES] = {}
    app[STOPPING] = asyncio.Event()
    app[UNDER_WAY] = UnderWay()
    app[OUTPUT] = output
    app[EVENTS] = {
        name: Events(model.training, model.folder, encode_event, app[STOPPING].is_set)
        for name, model in service.models.items()
    }
    add_routes(app, settings)
    return app


def bind(settings: Settings) -> socket.socket:
    """Take the address, without accepting connections yet. Raise `SettingsError` when it cannot be had."""
    host, port = settings.listen_ip, settings.listen_port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind, protocol)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {host} port {port}: {error.strerror}. "
            "Choose another with --listen-ip and --listen-port; port 0 lets the system choose one."
        ) from error
    return taken


def is_local(taken: socket.socket) -> bool:
    """Return whether only this machine reaches what listens on the socket."""
    return is_loopback(taken.getsockname()[0])


def tls(settings: Settings) -> ssl.SSLContext | None:
    """Return what HTTPS takes, if it is wanted. Raise `SettingsError` when it cannot be had."""
    if not (settings.tls_cert or settings.tls_key):
        return None
    if not (settings.tls_cert and settings.tls_key):
        raise SettingsError("HTTPS takes both --tls-cert and --tls-key.")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"The certificate {settings.tls_cert} with the key {settings.tls_key} cannot be used: {error}."
        ) from error
    return context


@contextlib.asynccontextmanager
async def listening(
    app: web.Application, taken: socket.socket, settings: Settings, hurry: asyncio.Event
) -> AsyncIterator[None]:
    """Accept connections while the context lasts.

    On leaving, requests have `drain_timeout` seconds to end, or until `hurry` is set.
    """
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=_AT_ONCE_S)
    await runner.setup()
    connections = runner.server
    assert connections is not None
    loop = asyncio.get_running_loop()

    shortcut = Shortcut(app)

    def connection() -> Connection:
        return Connection(connections, loop, settings, shortcut)

    server = await loop.create_server(connection, sock=taken, backlog=_BACKLOG, ssl=tls(settings))
    try:
        yield
    finally:
        app[STOPPING].set()
        server.close()
        connections.pre_shutdown()
        waits = [asyncio.ensure_future(event.wait()) for event in (app[UNDER_WAY].none, hurry)]
        await asyncio.wait(waits, timeout=settings.drain_timeout, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await runner.cleanup()
