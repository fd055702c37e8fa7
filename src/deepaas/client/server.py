"""The server as a client knows it: where it is, how to ask it, and how long to be patient with it.

It must not know what it is asked for.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

from deepaas.client.answers import UNAVAILABLE, Asked, error_of, is_error
from deepaas.client.specification import Specification
from deepaas.client.steps import Open, Pause, Send, Steps
from deepaas.client.uploads import Opened
from deepaas.errors import DeepaasError, ModelUnavailable, ServerUnreachable, UnexpectedAnswer

_CONNECT_TIMEOUT_S = 10.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
_THE_SPECIFICATION = Asked(missing=None)


class Options(NamedTuple):
    """How to ask a server; `deepaas.client.Client` documents them."""

    url: str
    token: str | None
    timeout_s: float | None
    patience_s: float
    check: bool


class Request(NamedTuple):
    """What to ask, as often as it takes: `make` returns the options of `httpx.Request` for one attempt.

    With `has_end` false, the answer may pause for as long as it likes.
    """

    method: str
    path: str
    make: Callable[[Opened], Mapping[str, Any]] = lambda _: {}
    asked: Asked = Asked()
    has_end: bool = True


class Server:
    """A server, and what it said that is worth remembering."""

    def __init__(self, options: Options) -> None:
        if not options.url.startswith(("http://", "https://")):
            raise ValueError(f"'{options.url}' is no address of a server: make it http://… or https://…")
        self.options = options
        self._url = options.url.rstrip("/")
        self._headers = {"Accept": "*/*", "User-Agent": f"deepaas/{version('deepaas')}"}
        if options.token:
            self._headers["Authorization"] = f"Bearer {options.token}"
        self._specification: Specification | None = None

    def answer(
        self, request: Request, step: type[Send | Open] = Send, *, survives_loss: bool = False
    ) -> Steps[httpx.Response]:
        """Ask, again and again while the server says when to come again, and return the answer.

        All pauses together are at most the patience. With `survives_loss`, a server that cannot be reached
        is asked again too, as is what answers in its place. Raise the error that the answer says.
        """
        patience = Patience(self.options.patience_s, survives_loss=survives_loss)
        while True:
            problem: DeepaasError
            with Opened() as opened:
                try:
                    response: httpx.Response = yield step(self._made(request, opened))
                except ServerUnreachable as error:
                    if not survives_loss:
                        raise
                    problem = error
                else:
                    if not is_error(response):
                        return response
                    problem = error_of(response, request.asked)
                    if response.status_code != UNAVAILABLE:
                        raise problem
            yield patience.pause(problem)

    def specification(self, *, afresh: bool = False) -> Steps[Specification]:
        """Return what the server can do; it is asked once, or `afresh`."""
        if self._specification is None or afresh:
            response = yield from self.answer(Request("GET", "/openapi.json", asked=_THE_SPECIFICATION))
            try:
                self._specification = Specification(response.json())
            except (ValueError, KeyError, TypeError) as error:
                raise UnexpectedAnswer(f"{self._url}/openapi.json is no OpenAPI document.") from error
        return self._specification

    @property
    def is_known(self) -> bool:
        """Say whether the specification has been read."""
        return self._specification is not None

    def _made(self, request: Request, opened: Opened) -> httpx.Request:
        made = dict(request.make(opened))
        headers = self._headers | dict(made.pop("headers", {}))
        read_s = self.options.timeout_s if request.has_end else None
        timeout = httpx.Timeout(read_s, connect=_CONNECT_TIMEOUT_S)
        return httpx.Request(
            request.method,
            self._url + request.path,
            headers=headers,
            extensions={"timeout": timeout.as_dict()},
            **made,
        )


class Patience:
    """How long to go on trying, in seconds of pauses; with `survives_loss`, also unasked."""

    def __init__(self, left_s: float, *, survives_loss: bool = False) -> None:
        self._left_s = left_s
        self._survives_loss = survives_loss
        self._next_s = _FIRST_PAUSE_S

    def pause(self, problem: DeepaasError) -> Pause:
        """Return the pause before the next attempt.

        It is as long as the server said, or longer each time while the server cannot be reached. Raise
        `problem` when that is longer than what is left, and when a server that answers did not say.
        """
        pause_s = self._next_s
        if isinstance(problem, ModelUnavailable):
            if problem.retry_after_s is None and not self._survives_loss:
                raise problem
            pause_s = problem.retry_after_s or pause_s
        if pause_s > self._left_s:
            raise problem
        self._left_s -= pause_s
        self._next_s = min(2 * self._next_s, _LONGEST_PAUSE_S)
        return Pause(pause_s)


def path_of(model: str, *below: str) -> str:
    """Return the path of a model, or of what is below it."""
    return "/".join(["/v2/models", *(quote(part, safe="") for part in (model, *below))])
