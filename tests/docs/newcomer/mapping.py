"""The one table of commands that are run otherwise than a page says them, and why."""

import re
import sys
from typing import NamedTuple

from support import python_environment


class Otherwise(NamedTuple):
    """What is run for whatever matches `said`, which may use the groups of the match."""

    said: str
    run: str
    why: str


_ENVIRONMENT = f"{sys.executable} {python_environment.__file__}"
TABLE = (
    Otherwise(
        r"git clone (<\S[^>]*>|\S+) (?P<folder>[\w-]+)",
        r"mkdir \g<folder> && git -C $DEEPAAS ls-files -z --cached --others --exclude-standard"
        r" | tar -C $DEEPAAS --null --files-from - --create | tar -C \g<folder> --extract"
        rf" && {_ENVIRONMENT} \g<folder>/.venv && touch \g<folder>/.venv/.serve",
        "What is tested is this checkout as it is, and make need not install what is there.",
    ),
    Otherwise(
        r"python3? -m venv (?P<folder>[\w./-]+)",
        rf"{_ENVIRONMENT} \g<folder>",
        "There is no network: the environment has what the tests have, and pip finds it there.",
    ),
)


def as_run(command: str) -> str:
    """Return what is to be run for a command of a page."""
    for row in TABLE:
        command = re.sub(row.said, row.run, command)
    return command
