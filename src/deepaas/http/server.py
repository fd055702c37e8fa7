"""Listens for connections: binds the address, sets up TLS, and drains requests at shutdown."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

from aiohttp import web

from deepaas.config.settings import Settings
from deepaas.errors import SettingsError
from deepaas.http.browser_security import is_loopback
from deepaas.http.context import IN_FLIGHT_REQUESTS, STOP_EVENT
from deepaas.http.fast_path.handler import FastPath
from deepaas.http.fast_path.protocol import FastPathProtocol

_BACKLOG = 1024
_SHUTDOWN_TIMEOUT_S = 0.5  # to flush responses; for aiohttp, 0 means no limit


def bind_socket(settings: Settings) -> socket.socket:
    """Bind the address, without accepting connections yet. Raise `SettingsError` if that fails."""
    host, port = settings.listen_ip, settings.listen_port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound_socket = socket.socket(family, kind, protocol)
        bound_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound_socket.bind(address)
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {host} port {port}: {error.strerror}. "
            "Choose another with --listen-ip and --listen-port; port 0 lets the system choose one."
        ) from error
    return bound_socket


def is_loopback_socket(listening_socket: socket.socket) -> bool:
    """Return whether only this machine can connect to the socket."""
    return is_loopback(listening_socket.getsockname()[0])


def create_ssl_context(settings: Settings) -> ssl.SSLContext | None:
    """Return the TLS context, or `None` for plain HTTP. Raise `SettingsError` for an unusable certificate."""
    if not (settings.tls_cert or settings.tls_key):
        return None
    if not (settings.tls_cert and settings.tls_key):
        raise SettingsError("HTTPS requires both --tls-cert and --tls-key.")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"The certificate {settings.tls_cert} with the key {settings.tls_key} cannot be used: {error}."
        ) from error
    return context


@contextlib.asynccontextmanager
async def serve(
    app: web.Application, listening_socket: socket.socket, settings: Settings, force_stop: asyncio.Event
) -> AsyncIterator[None]:
    """Accept connections inside the context.

    On exit, wait for requests in flight: for up to `drain_timeout` seconds, or until `force_stop` is set.
    """
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_TIMEOUT_S)
    await runner.setup()
    connections = runner.server
    assert connections is not None
    loop = asyncio.get_running_loop()

    fast_path = FastPath(app) if settings.fast_path else None

    def connection() -> FastPathProtocol:
        return FastPathProtocol(connections, loop, settings, fast_path)

    server = await loop.create_server(
        connection, sock=listening_socket, backlog=_BACKLOG, ssl=create_ssl_context(settings)
    )
    try:
        yield
    finally:
        app[STOP_EVENT].set()
        server.close()
        connections.pre_shutdown()
        waits = [asyncio.ensure_future(event.wait()) for event in (app[IN_FLIGHT_REQUESTS].idle, force_stop)]
        await asyncio.wait(waits, timeout=settings.drain_timeout, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await runner.cleanup()
