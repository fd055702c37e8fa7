"""Relocates the paths of a call to another machine."""

import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from deepaas.messages import Call
from deepaas.model.v2.wrapper import UploadedFile


def set_module_path(python_path: Sequence[str], *, is_remote: bool) -> None:
    """Search for modules where the server does; elsewhere, where that is there, and in this machine's places.

    Nothing that is imported already changes.
    """
    if not is_remote:
        sys.path[:] = python_path
        return
    theirs = [place for place in python_path if Path(place).exists()]
    sys.path[:] = theirs + [place for place in sys.path if place not in theirs]


def relocate_call(call: Call, folder: str) -> Call:
    """Return the call with its scratch folder, and the uploads in it, where they are here: in `folder`."""
    arguments = {name: _relocate_value(value, folder) for name, value in call.arguments.items()}
    return call._replace(arguments=arguments, scratch=folder)


def get_scratch_name(scratch: str) -> str:
    """Return the name that a call's scratch folder has on every machine."""
    return PurePosixPath(scratch).name


def _relocate_value(value: Any, folder: str) -> Any:
    if isinstance(value, UploadedFile) and value.filename:
        return value._replace(filename=f"{folder}/{PurePosixPath(value.filename).name}")
    return [_relocate_value(item, folder) for item in value] if isinstance(value, list) else value
