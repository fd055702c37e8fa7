"""A client's connection: its limits, its way to an answer, and an answer in JSON to what cannot be read."""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from deepaas.http.errors import REQUEST_ID, json_response, new_identity
from deepaas.http.shortcut import Shortcut
from deepaas.http.uploads import SLOWEST_BYTES_S
from deepaas.http.whole import WholeRequest
from deepaas.log import get_logger
from deepaas.service import ServedModel
from deepaas.settings import Settings

_log = get_logger("deepaas.http")
_MOST_EARLY_BYTES = 1 << 16
_PROMPT_S = 0.1
_READ_BYTES = 1 << 18


class Connection(RequestHandler):
    """A connection. Requests take the shortcut until one cannot; from then on the connection is aiohttp's."""

    __slots__ = (
        "_answering",
        "_early",
        "_is_leaving",
        "_limit_s",
        "_look",
        "_quiet_since",
        "_request",
        "_settings",
        "_shortcut",
        "_unsent_bytes",
        "_unsent_look",
    )

    def __init__(
        self, server: web.Server, loop: asyncio.AbstractEventLoop, settings: Settings, shortcut: Shortcut
    ) -> None:
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # None is none
            keepalive_timeout=settings.idle_timeout,
            max_line_size=settings.max_header_size,
            max_field_size=settings.max_header_size,
            read_bufsize=_READ_BYTES,
            auto_decompress=False,  # aiohttp does it in the event loop, before our limits
        )
        self._settings = settings
        self._shortcut: Shortcut | None = shortcut
        self._answering: asyncio.Task[None] | None = None
        self._request: WholeRequest | None = None
        self._early = bytearray()
        self._is_leaving = False
        self._quiet_since = 0.0
        self._limit_s = 0.0
        self._look: asyncio.TimerHandle | None = None
        self._unsent_bytes = 0
        self._unsent_look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give the client its time for the first request."""
        super().connection_made(transport)
        self.keep_alive(False)  # noqa: FBT003 - aiohttp's signature; until it has answered something itself
        self._quiet_since, self._limit_s = self._loop.time(), self._settings.header_timeout
        self._look_after(min(self._settings.header_timeout, self._settings.idle_timeout))

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the time and the answer."""
        self._look_no_more()
        self._wait_for_reader_no_more()
        if self._answering:
            self._answering.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for a client that has more to read than the system and this server keep for it."""
        super().pause_writing()
        self._wait_for_reader()

    def resume_writing(self) -> None:
        """Go on writing: the client has read."""
        self._wait_for_reader_no_more()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Take the shortcut, or give what came to aiohttp; keep what comes before its turn."""
        if self._shortcut is None:
            super().data_received(data)
        elif self._answering:
            self._early += data
            if len(self._early) > _MOST_EARLY_BYTES and self.transport:
                self.transport.pause_reading()
        elif not self._is_leaving:
            self._take(self._shortcut, data)

    def close(self) -> None:
        """End when what is being answered has been."""
        self._is_leaving = True
        if self._shortcut is None:
            super().close()
        elif not self._answering:
            self.force_close()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's signature
        """End now."""
        if self._answering:
            self._answering.cancel()
        await super().shutdown(timeout)

    def note_request(self) -> None:
        """Say that aiohttp has read a whole request: from now on it looks after the time between requests."""
        self._look_no_more()

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

    def _take(self, shortcut: Shortcut, data: bytes) -> None:
        """Read a request, or one more piece of it, and answer it when that was all."""
        request = self._request or WholeRequest()
        request.feed(data)
        served = shortcut.find(request)
        if served is None:
            self._give_over(request)
        elif request.is_complete:
            self._request = None
            self._answering = asyncio.create_task(self._answer(shortcut, request, served))
        elif self._request is None:
            self._request = request
            self._look_after(_PROMPT_S)

    def _give_over(self, request: WholeRequest) -> None:
        """Let aiohttp have the connection, with all that has come of a request."""
        self._shortcut = self._request = None
        self._look_after(self._settings.header_timeout)
        super().data_received(b"".join(request.pieces))

    async def _answer(self, shortcut: Shortcut, request: WholeRequest, served: ServedModel) -> None:
        try:
            await shortcut.answer(request, served, self)
        except ConnectionResetError:
            self.force_close()
            return
        except Exception:  # noqa: BLE001 - whatever it is, the client must not wait for ever
            _log.exception("A request could not be answered")
            self.force_close()
            return
        finally:
            self._answering = None
        self._quiet_since, self._limit_s = self._loop.time(), self._settings.idle_timeout
        if self._is_leaving or not request.keeps_alive:
            self.force_close()
        elif self._early and self.transport:
            early, self._early = bytes(self._early), bytearray()
            self.transport.resume_reading()
            self.data_received(early)

    def _wait_for_reader(self) -> None:
        if self.transport:
            self._unsent_bytes = self.transport.get_write_buffer_size()
            self._unsent_look = self._loop.call_later(self._settings.body_timeout, self._end_if_unread)

    def _wait_for_reader_no_more(self) -> None:
        if self._unsent_look:
            self._unsent_look.cancel()
            self._unsent_look = None

    def _end_if_unread(self) -> None:
        """Cut off a client that reads less than 500 bytes a second: a worker or a file may wait for it.

        While writing is paused, what is left to send only becomes less.
        """
        if self.transport is None:
            return
        read_bytes = self._unsent_bytes - self.transport.get_write_buffer_size()
        if read_bytes < self._settings.body_timeout * SLOWEST_BYTES_S:
            _log.info("A client did not read its response and is cut off (--body-timeout)")
            self.transport.abort()
        else:
            self._wait_for_reader()

    def _look_after(self, seconds: float) -> None:
        self._look_no_more()
        self._look = self._loop.call_later(seconds, self._end_if_quiet)

    def _look_no_more(self) -> None:
        if self._look:
            self._look.cancel()
            self._look = None

    def _end_if_quiet(self) -> None:
        """End a connection on which no request came in time: a first one, a whole one, another one."""
        left_s = self._quiet_since + self._limit_s - self._loop.time()
        if self._request:
            self._give_over(self._request)
        elif self._answering:
            self._look_after(self._limit_s)
        elif self._shortcut and left_s > 0:
            self._look_after(left_s)
        else:
            self.force_close()
