"""Adapts module paths and a call's file paths to the machine that runs the call."""

import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from deepaas.messages import Call, unpickle_arguments
from deepaas.model.v2.wrapper import UploadedFile


def set_module_path(python_path: Sequence[str], *, is_remote: bool) -> None:
    """Set `sys.path` to the server's; if remote, put its existing folders before this machine's `sys.path`.

    Modules that are already imported do not change.
    """
    if not is_remote:
        sys.path[:] = python_path
        return
    existing = [folder for folder in python_path if Path(folder).exists()]
    sys.path[:] = existing + [folder for folder in sys.path if folder not in existing]


def relocate_call(call: Call, folder: str) -> Call:
    """Return the call with `folder` as its scratch folder, also in the paths of its uploads."""
    call = unpickle_arguments(call)
    arguments = {name: _relocate_value(value, folder) for name, value in call.arguments.items()}
    return call._replace(arguments=arguments, scratch=folder)


def get_scratch_name(scratch: str) -> str:
    """Return the name of a call's scratch folder, which is the same on every machine."""
    return PurePosixPath(scratch).name


def _relocate_value(value: Any, folder: str) -> Any:
    if isinstance(value, UploadedFile) and value.filename:
        return value._replace(filename=f"{folder}/{PurePosixPath(value.filename).name}")
    return [_relocate_value(item, folder) for item in value] if isinstance(value, list) else value
