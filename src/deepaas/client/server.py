"""The server as a client knows it: where it is, how to ask it, and how long to be patient with it."""

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
    """How to ask a server; `deepaas.client.Client` documents them."""

    url: str
    token: str | None
    timeout_s: float | None
    retry_timeout_s: float
    validate: bool


class Request(NamedTuple):
    """What to ask, as often as it takes.

    `build_options` returns the options of `httpx.Request` for one attempt.

    With `has_read_timeout` false, the answer may pause for as long as it likes.
    """

    method: str
    path: str
    build_options: Callable[[OpenFiles], Mapping[str, Any]] = lambda _: {}
    error_context: ErrorContext = ErrorContext()
    has_read_timeout: bool = True


class ServerApi:
    """A server, and what it said that is worth remembering."""

    def __init__(self, options: ClientOptions) -> None:
        if not options.url.startswith(("http://", "https://")):
            raise ValueError(f"'{options.url}' is no address of a server: make it http://… or https://…")
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
        """Ask, again and again while the server says when to come again, and return the answer.

        All pauses together are at most the patience. With `retry_on_disconnect`, a server that cannot be
        reached is asked again too, as is what answers in its place. Raise the error that the answer says.
        """
        patience = RetryBudget(self.options.retry_timeout_s, retry_on_disconnect=retry_on_disconnect)
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
            yield patience.schedule_retry(problem)

    def fetch_schema(self, *, refresh: bool = False) -> Steps[ServerSchema]:
        """Return what the server can do; it is asked once, or `refresh`."""
        if self._schema is None or refresh:
            response = yield from self.request(Request("GET", "/openapi.json", error_context=_SCHEMA_CONTEXT))
            try:
                self._schema = ServerSchema(response.json())
            except (ValueError, KeyError, TypeError) as error:
                raise UnexpectedResponse(f"{self._url}/openapi.json is no OpenAPI document.") from error
        return self._schema

    @property
    def has_schema(self) -> bool:
        """Say whether the specification has been read."""
        return self._schema is not None

    def _build_request(self, request: Request, open_files: OpenFiles) -> httpx.Request:
        made = dict(request.build_options(open_files))
        headers = self._headers | dict(made.pop("headers", {}))
        read_s = self.options.timeout_s if request.has_read_timeout else None
        timeout = httpx.Timeout(read_s, connect=_CONNECT_TIMEOUT_S)
        return httpx.Request(
            request.method,
            self._url + request.path,
            headers=headers,
            extensions={"timeout": timeout.as_dict()},
            **made,
        )


class RetryBudget:
    """How long to go on trying, in seconds of pauses; with `retry_on_disconnect`, also unasked."""

    def __init__(self, remaining_s: float, *, retry_on_disconnect: bool = False) -> None:
        self._remaining_s = remaining_s
        self._retry_on_disconnect = retry_on_disconnect
        self._next_delay_s = _INITIAL_RETRY_DELAY_S

    def schedule_retry(self, problem: DeepaasError) -> Sleep:
        """Return the pause before the next attempt.

        It is as long as the server said, or longer each time while the server cannot be reached. Raise
        `problem` when that is longer than what is left, and when a server that answers did not say.
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
    """Return the path of a model, or of what is below it."""
    return "/".join(["/v2/models", *(quote(part, safe="") for part in (model, *segments))])
