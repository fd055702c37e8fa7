"""Converts exceptions of user code to a status, a message and a traceback."""

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
    """Return the status, message and traceback to answer `error` with.

    A status that the exception carries (400 to 599) is the author's answer. `NotImplementedError` is 501,
    anything else 500 with the exception's name and text.
    """
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, DeepaasError):
        return Failure(error.status, error.message, trace)
    meant = _recover_aiohttp_error(error)
    if meant:
        return Failure(*meant, trace)
    status = get_http_status(error)
    if status:
        return Failure(status, _get_reason(error), trace)
    if isinstance(error, NotImplementedError):
        return Failure(501, str(error) or "The model does not implement this function.", trace)
    return Failure(500, describe_exception(error), trace)


def describe_exception(error: BaseException) -> str:
    """Return the exception's name and text, as the last line of its traceback has them."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def strip_folders(message: str) -> str:
    """Return a message in which files of this machine are named without their folders.

    A module of a library keeps its path inside the folder of libraries.
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
    return frozenset(os.listdir("/"))  # noqa: PTH208 - names are all that is wanted


def get_http_status(error: BaseException) -> int | None:
    """Return the HTTP error status that the exception carries, if it does."""
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
    """Return status and reason of an aiohttp error that aiohttp refused to make.

    Authors write ``raise HTTPBadRequest(reason=error)``. aiohttp wants a string of one line there, and
    raises `TypeError` or `ValueError` in its constructor, whose frame still knows what was meant.
    """
    if not isinstance(error, TypeError | ValueError):
        return None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        made = frame.f_locals.get("self")
        is_constructor = frame.f_code.co_name == "__init__"
        if is_constructor and isinstance(made, Exception) and type(made).__module__.startswith("aiohttp."):
            return get_http_status(made) or 500, str(
                frame.f_locals.get("reason") or describe_exception(error)
            )
    return None
