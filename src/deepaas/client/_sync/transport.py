# Generated from _async/transport.py by tools/sync_client.py; do not edit.
"""Sends requests to a server, with retries, and caches its OpenAPI document."""

import contextlib
import time
from pathlib import Path

import httpx

from deepaas.atomic_files import atomic_write
from deepaas.client._encoding import OpenFiles
from deepaas.client._requests import (
    Request,
    RetryBudget,
    VerifyTypes,
    build_headers,
    build_ssl_context,
    build_timeout,
)
from deepaas.client._responses import ErrorContext, error_from_response, is_error, translate_request_errors
from deepaas.client._schema import ServerSchema
from deepaas.errors import ModelUnavailable, ServerUnreachable, UnexpectedResponse

_SCHEMA_CONTEXT = ErrorContext(not_found_error=None)


class Transport:
    """The connections to a server. `schema` is its OpenAPI document, once it has been fetched."""

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        verify: VerifyTypes,
        timeout_s: float | None,
        retry_timeout_s: float,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"'{url}' is not a server URL. Use http://… or https://…")
        self.retry_timeout_s = retry_timeout_s
        self.schema: ServerSchema | None = None
        self._url = url.rstrip("/")
        self._http = httpx.Client(
            headers=build_headers(token), timeout=build_timeout(timeout_s), verify=build_ssl_context(verify)
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def request(
        self, request: Request, *, stream: bool = False, retry_on_disconnect: bool = False
    ) -> httpx.Response:
        """Send the request and return the response; with `stream`, before its body has been read.

        Retry as `RetryBudget` describes; all waits together last at most `retry_timeout_s`. Raise the error
        of an error response.
        """
        budget = RetryBudget(self.retry_timeout_s, retry_on_disconnect=retry_on_disconnect)
        while True:
            try:
                return self._send(request, stream=stream)
            except (ServerUnreachable, ModelUnavailable) as error:
                delay_s = budget.spend_delay_s(error)
            time.sleep(delay_s)

    def download(self, request: Request, path: Path) -> Path:
        """Write the response's body to a file, in chunks; an incomplete response leaves no file."""
        with contextlib.closing(self.request(request, stream=True)) as response:
            with atomic_write(path) as file, translate_request_errors(response.url):
                for chunk in response.iter_bytes():
                    file.write(chunk)
        return path

    def fetch_schema(self) -> ServerSchema:
        """Fetch the server's OpenAPI document, and keep it in `schema`."""
        response = self.request(Request("GET", "/openapi.json", _SCHEMA_CONTEXT))
        try:
            self.schema = ServerSchema(response.json())
        except (ValueError, KeyError, TypeError) as error:
            raise UnexpectedResponse(f"{response.url} is not an OpenAPI document.") from error
        return self.schema

    def _send(self, request: Request, *, stream: bool) -> httpx.Response:
        with OpenFiles() as open_files:
            options = request.build_options(open_files)
            attempt = self._http.build_request(request.method, self._url + request.path, **options)
            with translate_request_errors(attempt.url):
                response = self._http.send(attempt, stream=stream)
                if is_error(response):
                    response.read()
                    raise error_from_response(response, request.error_context)
        return response
