"""Runs the Python blocks of a page in one namespace. Requests and responses are lines of JSON.

The interpreter of the page's environment starts this file, so it imports nothing of this project.
"""

import contextlib
import doctest
import io
import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path[0] = ""
    names: dict[str, Any] = {"__name__": "__main__"}
    for line in sys.stdin:
        request = json.loads(line)
        os.chdir(request["folder"])
        run = _session if request["language"] == "pycon" else _block
        answers.write(json.dumps(_said_by(run, request, names)) + "\n")
        answers.flush()


def _said_by(
    run: Callable[[dict[str, Any], dict[str, Any]], str], request: Any, names: dict[str, Any]
) -> str:
    """Return an error with the block's output, or an empty string on success."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        wrong = run(request, names)
    return f"{wrong}\nIt printed:\n{printed.getvalue()}" if wrong else ""


def _block(request: dict[str, Any], names: dict[str, Any]) -> str:
    padded = "\n" * (request["line"] - 1) + request["source"]
    try:
        exec(compile(padded, request["page"], "exec"), names)
    except BaseException:  # noqa: BLE001 - a page's code may raise anything
        return traceback.format_exc()
    return ""


def _session(request: dict[str, Any], names: dict[str, Any]) -> str:
    parser = doctest.DocTestParser()
    test = parser.get_doctest(request["source"], {}, "session", request["page"], request["line"] - 1)
    test.globs = names
    found = io.StringIO()
    doctest.DocTestRunner(optionflags=_FLAGS).run(test, out=found.write, clear_globs=False)
    return found.getvalue()


if __name__ == "__main__":
    main()
