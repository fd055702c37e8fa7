"""What the client sends: requests, their headers and time limits, and when it sends them again."""

import os
import ssl
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

from deepaas.client._encoding import EncodedArguments, OpenFiles
from deepaas.client._responses import ErrorContext
from deepaas.errors import ModelUnavailable, ServerUnreachable

_CONNECT_TIMEOUT_S = 10.0
_INITIAL_RETRY_DELAY_S = 0.5
_MAX_RETRY_DELAY_S = 10.0

VerifyTypes = bool | str | os.PathLike[str] | ssl.SSLContext


class Request(NamedTuple):
    """A request that can be sent several times; `options` are those of `httpx.Client.build_request`."""

    method: str
    path: str
    error_context: ErrorContext = ErrorContext()
    arguments: EncodedArguments | None = None
    options: Mapping[str, Any] = {}

    def build_options(self, open_files: OpenFiles) -> Mapping[str, Any]:
        """Return the options of one attempt; `open_files` closes the files that it opens."""
        return self.arguments.build_request_options(open_files) if self.arguments else self.options


class RetryBudget:
    """The seconds left for waiting between attempts.

    A 503 with `Retry-After` is retried. With `retry_on_disconnect`, so are any 503, such as a proxy's, and a
    server that cannot be reached.
    """

    def __init__(self, remaining_s: float, *, retry_on_disconnect: bool) -> None:
        self._remaining_s = remaining_s
        self._retry_on_disconnect = retry_on_disconnect
        self._next_delay_s = _INITIAL_RETRY_DELAY_S

    def spend_delay_s(self, error: ServerUnreachable | ModelUnavailable) -> float:
        """Return the seconds to wait, and subtract them. Raise `error` if it is not retried.

        They are those of the server's `Retry-After`, else of an exponential backoff.
        """
        retry_after_s = error.retry_after_s if isinstance(error, ModelUnavailable) else None
        if retry_after_s is None and not self._retry_on_disconnect:
            raise error
        delay_s = retry_after_s or self._next_delay_s
        if delay_s > self._remaining_s:
            raise error
        self._remaining_s -= delay_s
        self._next_delay_s = min(2 * self._next_delay_s, _MAX_RETRY_DELAY_S)
        return delay_s


def build_path(model: str, *segments: str) -> str:
    """Return the URL path of a model, or of a resource below it."""
    return "/".join(["/v2/models", *(quote(part, safe="") for part in (model, *segments))])


def build_headers(token: str | None) -> dict[str, str]:
    """Return the headers of every request."""
    headers = {"User-Agent": f"deepaas/{version('deepaas')}"}
    return headers | {"Authorization": f"Bearer {token}"} if token else headers


def build_timeout(read_s: float | None) -> httpx.Timeout:
    """Return the time limits of a request whose response may pause for `read_s`, or for any time."""
    return httpx.Timeout(read_s, connect=_CONNECT_TIMEOUT_S)


def build_ssl_context(verify: VerifyTypes) -> ssl.SSLContext | bool:
    """Return `verify` as httpx expects it. A path names a file of trusted certificates."""
    if isinstance(verify, bool | ssl.SSLContext):
        return verify
    return ssl.create_default_context(cafile=os.fspath(verify))
