"""Conversion of user exceptions to status and message."""

from typing import Any

import pytest
from aiohttp import web

from deepaas.errors import ModelUnavailable
from deepaas.messages import Failure
from deepaas.model.failures import failure_from_exception


class Carrying(Exception):  # noqa: N818 - a name that authors might choose
    """An exception with attributes."""

    def __init__(self, text: str = "", **carried: Any) -> None:
        super().__init__(text)
        self.__dict__.update(carried)


def caught(error: BaseException | type[BaseException], **arguments: Any) -> Failure:
    """Return the failure for a raised exception; a class is instantiated inside `raise`."""
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - any exception is what this is about
        _raise(error, **arguments)
    return failure_from_exception(raised.value)


def _raise(error: BaseException | type[BaseException], **arguments: Any) -> None:
    if isinstance(error, type):
        raise error(**arguments)
    raise error


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (web.HTTPNotFound(reason="no such city"), 404, "no such city"),
        (web.HTTPBadRequest(), 400, "Bad Request"),
        (Carrying("text", status=404), 404, "text"),
        (Carrying("text", status_code=599), 599, "text"),
        (Carrying("text", code=400), 400, "text"),
        (Carrying("text", status=404, reason="reason"), 404, "reason"),
        (Carrying(status=404), 404, "Carrying"),
        (Carrying("text", status=200), 500, "Carrying: text"),
        (Carrying("text", status=True), 500, "Carrying: text"),
        (Carrying("text", status="404"), 500, "Carrying: text"),
        (Carrying("text", status=200, code=404), 404, "text"),
        (NotImplementedError("later"), 501, "later"),
        (ValueError("text"), 500, "ValueError: text"),
        (ValueError(), 500, "ValueError"),
        (SystemExit(404), 500, "SystemExit: 404"),
        (KeyError("a"), 500, "KeyError: 'a'"),
        (ModelUnavailable("not now"), 503, "not now"),
    ],
)
def test_status_and_message(error: BaseException, status: int, message: str) -> None:
    """An exception's status from 400 to 599 is used; otherwise it is 500, or 501."""
    found = caught(error)
    assert (found.status, found.message) == (status, message)
    assert type(error).__name__ in found.traceback


@pytest.mark.parametrize("reason", [KeyError("cause"), ValueError("two\nlines"), 5, "two\nlines"])
@pytest.mark.parametrize(
    ("error", "status"),
    [(web.HTTPBadRequest, 400), (web.HTTPUnprocessableEntity, 422), (web.HTTPNotFound, 404)],
)
def test_exception_as_a_reason(error: type[BaseException], status: int, reason: object) -> None:
    """The intended status survives a reason that aiohttp rejects."""
    found = caught(error, reason=reason)
    assert (found.status, found.message) == (status, str(reason))


def test_error_that_is_not_aiohttps() -> None:
    """A TypeError from other code is not converted."""

    def fail() -> None:
        int([])  # type: ignore[call-overload] # the point

    with pytest.raises(TypeError) as raised:
        fail()
    assert failure_from_exception(raised.value).status == 500
