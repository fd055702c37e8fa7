"""The web application: a service made reachable, and the server that listens for it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from deepaas.errors import SettingsError
from deepaas.http.errors import answer_errors, json_response
from deepaas.http.keys import OUTPUT, SERVICE, SETTINGS
from deepaas.http.output import RecentOutput
from deepaas.http.routes import add_routes
from deepaas.service import Service
from deepaas.settings import Settings

_BACKLOG = 1024


def build_app(service: Service, settings: Settings, output: RecentOutput) -> web.Application:
    """Return the application that serves `service`."""
    app = web.Application(middlewares=[answer_errors])
    app[SERVICE] = service
    app[SETTINGS] = settings
    app[OUTPUT] = output
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


@contextlib.asynccontextmanager
async def listening(app: web.Application, taken: socket.socket) -> AsyncIterator[None]:
    """Accept connections while the context lasts; on leaving, answer what is being answered."""
    runner = web.AppRunner(app)
    await runner.setup()
    connections = runner.server
    assert connections is not None
    loop = asyncio.get_running_loop()

    def connection() -> _Connection:
        return _Connection(connections, loop=loop, access_log=None)  # type: ignore[arg-type]  # None is none

    server = await loop.create_server(connection, sock=taken, backlog=_BACKLOG)
    try:
        yield
    finally:
        server.close()
        await runner.cleanup()


class _Connection(RequestHandler):
    """A connection whose unreadable requests are answered with JSON, like everything else."""

    def handle_error(
        self,
        request: Any,  # noqa: ARG002 - aiohttp's signature
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002 - aiohttp's signature
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to what aiohttp could not read."""
        response = json_response({"message": (message or "The request cannot be read.").strip()}, status)
        response.force_close()
        return response
