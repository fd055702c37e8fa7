"""Requests to a server, with retries, and its cached OpenAPI document."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

from deepaas.client.answers import UNAVAILABLE, ErrorContext, error_from_response, is_error
from deepaas.client.specification import ServerSchema
from deepaas.client.steps import OpenStream, SendRequest, Sleep, Steps
from deepaas.client.uploads import OpenFiles
from deepaas.errors import DeepaasError, ModelUnavailable, ServerUnreachable, UnexpectedResponse

_CONNECT_TIMEOUT_S = 10.0
_INITIAL_RETRY_DELAY_S = 0.5
_MAX_RETRY_DELAY_S = 10.0
_SCHEMA_CONTEXT = ErrorContext(not_found_error=None)


class ClientOptions(NamedTuple):
    """Options of a client; see `deepaas.client.Client`."""

    url: str
    token: str | None
    timeout_s: float | None
    retry_timeout_s: float
    validate: bool


class Request(NamedTuple):
    """A request that can be sent several times.

    `build_options` returns the options of `httpx.Request` for one attempt. Without `has_read_timeout`, the
    response may pause for any time.
    """

    method: str
    path: str
    build_options: Callable[[OpenFiles], Mapping[str, Any]] = lambda _: {}
    error_context: ErrorContext = ErrorContext()
    has_read_timeout: bool = True


class ServerApi:
    """A server and its cached OpenAPI document."""

    def __init__(self, options: ClientOptions) -> None:
        if not options.url.startswith(("http://", "https://")):
            raise ValueError(f"'{options.url}' is not a server URL. Use http://… or https://…")
        self.options = options
        self._url = options.url.rstrip("/")
        self._headers = {"Accept": "*/*", "User-Agent": f"deepaas/{version('deepaas')}"}
        if options.token:
            self._headers["Authorization"] = f"Bearer {options.token}"
        self._schema: ServerSchema | None = None

    def request(
        self,
        request: Request,
        step: type[SendRequest | OpenStream] = SendRequest,
        *,
        retry_on_disconnect: bool = False,
    ) -> Steps[httpx.Response]:
        """Send the request and return the response; on 503 with `Retry-After`, wait and retry.

        All waits together last at most `retry_timeout_s`. With `retry_on_disconnect`, also retry when the
        server cannot be reached, and on any 503, such as a proxy's. Raise the error of an error response.
        """
        budget = RetryBudget(self.options.retry_timeout_s, retry_on_disconnect=retry_on_disconnect)
        while True:
            problem: DeepaasError
            with OpenFiles() as opened:
                try:
                    response: httpx.Response = yield step(self._build_request(request, opened))
                except ServerUnreachable as error:
                    if not retry_on_disconnect:
                        raise
                    problem = error
                else:
                    if not is_error(response):
                        return response
                    problem = error_from_response(response, request.error_context)
                    if response.status_code != UNAVAILABLE:
                        raise problem
            yield budget.schedule_retry(problem)

    def fetch_schema(self, *, refresh: bool = False) -> Steps[ServerSchema]:
        """Return the server's OpenAPI document, cached unless `refresh` is true."""
        if self._schema is None or refresh:
            response = yield from self.request(Request("GET", "/openapi.json", error_context=_SCHEMA_CONTEXT))
            try:
                self._schema = ServerSchema(response.json())
            except (ValueError, KeyError, TypeError) as error:
                raise UnexpectedResponse(f"{self._url}/openapi.json is not an OpenAPI document.") from error
        return self._schema

    @property
    def has_schema(self) -> bool:
        """Whether the OpenAPI document has been fetched."""
        return self._schema is not None

    def _build_request(self, request: Request, open_files: OpenFiles) -> httpx.Request:
        options = dict(request.build_options(open_files))
        headers = self._headers | dict(options.pop("headers", {}))
        read_s = self.options.timeout_s if request.has_read_timeout else None
        timeout = httpx.Timeout(read_s, connect=_CONNECT_TIMEOUT_S)
        return httpx.Request(
            request.method,
            self._url + request.path,
            headers=headers,
            extensions={"timeout": timeout.as_dict()},
            **options,
        )


class RetryBudget:
    """The seconds left for waiting between attempts; see `ServerApi.request`."""

    def __init__(self, remaining_s: float, *, retry_on_disconnect: bool = False) -> None:
        self._remaining_s = remaining_s
        self._retry_on_disconnect = retry_on_disconnect
        self._next_delay_s = _INITIAL_RETRY_DELAY_S

    def schedule_retry(self, problem: DeepaasError) -> Sleep:
        """Return the wait before the next attempt, and subtract it from the budget.

        The wait is the server's `Retry-After`, else an exponential backoff. Raise `problem` if the wait
        exceeds the budget, or if a 503 has no `Retry-After` (unless `retry_on_disconnect`).
        """
        pause_s = self._next_delay_s
        if isinstance(problem, ModelUnavailable):
            if problem.retry_after_s is None and not self._retry_on_disconnect:
                raise problem
            pause_s = problem.retry_after_s or pause_s
        if pause_s > self._remaining_s:
            raise problem
        self._remaining_s -= pause_s
        self._next_delay_s = min(2 * self._next_delay_s, _MAX_RETRY_DELAY_S)
        return Sleep(pause_s)


def build_path(model: str, *segments: str) -> str:
    """Return the URL path of a model, or of a resource below it."""
    return "/".join(["/v2/models", *(quote(part, safe="") for part in (model, *segments))])
