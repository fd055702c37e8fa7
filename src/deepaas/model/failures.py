"""Converts exceptions of user code to an HTTP status, a message and a traceback."""

import functools
import os
import re
import traceback

from deepaas.errors import DeepaasError
from deepaas.messages import Failure

_NAME_CHARACTER = r"[^\s'\"`,;:()/]"
_PATH = re.compile(
    r"(?P<quote>['\"`])(?P<quoted>/(?P<quoted_top>[\w.-]+)/[^'\"`\n]*)(?P=quote)"
    rf"|(?:(?<![\w./-])|(?<=file://)|(?<=:///))(?P<bare>/(?P<top>[\w.-]+)/(?:{_NAME_CHARACTER}+/)*{_NAME_CHARACTER}*)"
)
_LIBRARY_FOLDER = re.compile(r".*/(?:site-packages|dist-packages|lib/python3\.\d+)/")
_STATUS_ATTRIBUTES = ("status", "status_code", "code")


def failure_from_exception(error: BaseException) -> Failure:
    """Return the status, message and traceback for the response to `error`.

    The status is the exception's own (400 to 599) if it has one, 501 for `NotImplementedError`, and 500 for
    any other exception, whose name and text are the message.
    """
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, DeepaasError):
        return Failure(error.status, error.message, trace)
    intended = _recover_aiohttp_error(error)
    if intended:
        return Failure(*intended, trace)
    status = get_http_status(error)
    if status:
        return Failure(status, _get_reason(error), trace)
    if isinstance(error, NotImplementedError):
        return Failure(501, str(error) or "The model does not implement this function.", trace)
    return Failure(500, describe_exception(error), trace)


def describe_exception(error: BaseException) -> str:
    """Return the exception's name and text, like the last line of its traceback."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def strip_folders(message: str) -> str:
    """Remove the folders of this machine's files from a message.

    Modules of installed libraries keep their path below `site-packages` or the standard library.
    """
    return _PATH.sub(_strip_folder, message)


def _strip_folder(match: re.Match[str]) -> str:
    if (match["quoted_top"] or match["top"]) not in _list_top_folders():
        return match[0]
    path, quote = match["quoted"] or match["bare"], match["quote"] or ""
    in_libraries = _LIBRARY_FOLDER.match(path)
    name = path[in_libraries.end() :] if in_libraries else path.rpartition("/")[2]
    return f"{quote}…/{name}{quote}"


@functools.cache
def _list_top_folders() -> frozenset[str]:
    return frozenset(os.listdir("/"))  # noqa: PTH208 - only names are needed


def get_http_status(error: BaseException) -> int | None:
    """Return the HTTP error status in an attribute of the exception, or `None`."""
    if not isinstance(error, Exception):
        return None
    for attribute in _STATUS_ATTRIBUTES:
        status = getattr(error, attribute, None)
        if isinstance(status, int) and 400 <= status <= 599:  # noqa: PLR2004 - HTTP's error statuses
            return int(status)
    return None


def _get_reason(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    return str(reason) if reason else str(error) or type(error).__name__


def _recover_aiohttp_error(error: BaseException) -> tuple[int, str] | None:
    """Return the status and reason of an aiohttp error whose constructor failed, or `None`.

    Model authors write ``raise HTTPBadRequest(reason=error)``. aiohttp requires a single-line string there:
    its constructor raises `TypeError` or `ValueError`. The frame of that call still has the intended values.
    """
    if not isinstance(error, TypeError | ValueError):
        return None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        http_error = frame.f_locals.get("self")
        if frame.f_code.co_name != "__init__" or not isinstance(http_error, Exception):
            continue
        if type(http_error).__module__.startswith("aiohttp."):
            return get_http_status(http_error) or 500, str(
                frame.f_locals.get("reason") or describe_exception(error)
            )
    return None
