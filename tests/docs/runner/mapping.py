"""The table of commands for which the tests run others, with the reasons."""

import re
import sys
from typing import NamedTuple

from support import python_environment


class Replacement(NamedTuple):
    """Replaces commands that match `pattern`; `run` may use the groups of the match."""

    pattern: str
    run: str
    why: str


_ENVIRONMENT = f"{sys.executable} {python_environment.__file__}"
TABLE = (
    Replacement(
        r"git clone \S+ (?P<folder>[\w-]+)",
        r"mkdir \g<folder> && git -C $DEEPAAS ls-files -z --cached --others --exclude-standard"
        r" | tar -C $DEEPAAS --null --files-from - --create | tar -C \g<folder> --extract"
        rf" && {_ENVIRONMENT} \g<folder>/.venv && touch \g<folder>/.venv/.serve",
        "The tests use this checkout with its changes, and make need not install packages again.",
    ),
    Replacement(
        r"python3? -m venv (?P<folder>[\w./-]+)",
        rf"{_ENVIRONMENT} \g<folder>",
        "Without a network: the environment shares the tests' packages, and pip finds them there.",
    ),
)


def replace_commands(command: str) -> str:
    """Return the command to run for a command of a page."""
    for row in TABLE:
        command = re.sub(row.pattern, row.run, command)
    return command
