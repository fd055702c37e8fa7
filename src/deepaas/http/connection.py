"""A client's connection: its limits, and an answer in JSON to what cannot be read."""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from deepaas.http.errors import REQUEST_ID, json_response, new_identity
from deepaas.settings import Settings


class Connection(RequestHandler):
    """A connection; `has_asked` says whether a whole request was read from it."""

    __slots__ = ("_cut_off", "_header_timeout_s", "has_asked")

    def __init__(self, server: web.Server, loop: asyncio.AbstractEventLoop, settings: Settings) -> None:
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # None is none
            keepalive_timeout=settings.idle_timeout,
            max_line_size=settings.max_header_size,
            max_field_size=settings.max_header_size,
        )
        self.has_asked = False
        self._header_timeout_s = settings.header_timeout
        self._cut_off: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give the client its time for the first request."""
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        self._cut_off = loop.call_later(self._header_timeout_s, self._end_unless_asked, transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the time."""
        if self._cut_off:
            self._cut_off.cancel()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: Any,  # noqa: ARG002 - aiohttp's signature
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002 - aiohttp's signature
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to what aiohttp could not read."""
        response = json_response({"message": (message or "The request cannot be read.").strip()}, status)
        response.headers[REQUEST_ID] = new_identity()
        response.force_close()
        return response

    def _end_unless_asked(self, transport: asyncio.BaseTransport) -> None:
        if not self.has_asked:
            transport.close()
