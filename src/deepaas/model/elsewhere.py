"""What differs for a process that is not on the server's machine: where modules and files are.

It must not know how they came there.
"""

import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from deepaas.messages import Call
from deepaas.model.v2.wrapper import UploadedFile


def take_path(python_path: Sequence[str], *, is_elsewhere: bool) -> None:
    """Search for modules where the server does; elsewhere, where that is there, and in this machine's places.

    Nothing that is imported already changes.
    """
    if not is_elsewhere:
        sys.path[:] = python_path
        return
    theirs = [place for place in python_path if Path(place).exists()]
    sys.path[:] = theirs + [place for place in sys.path if place not in theirs]


def moved(call: Call, folder: str) -> Call:
    """Return the call with its scratch folder, and the uploads in it, where they are here: in `folder`."""
    arguments = {name: _moved(value, folder) for name, value in call.arguments.items()}
    return call._replace(arguments=arguments, scratch=folder)


def name_of(scratch: str) -> str:
    """Return the name that a call's scratch folder has on every machine."""
    return PurePosixPath(scratch).name


def _moved(value: Any, folder: str) -> Any:
    if isinstance(value, UploadedFile) and value.filename:
        return value._replace(filename=f"{folder}/{PurePosixPath(value.filename).name}")
    return [_moved(item, folder) for item in value] if isinstance(value, list) else value
