"""Writes a result as a file that appears complete or not at all."""

import shutil
from pathlib import Path

from deepaas.atomic_files import atomic_write, guess_extension
from deepaas.messages import Body


def save_result(body: Body, folder: Path, name: str) -> str:
    """Write a result below `folder`; return its relative path, `name` with its media type's suffix."""
    relative_path = name + guess_extension(body.media_type)
    write_result(body, folder / relative_path)
    return relative_path


def write_result(body: Body, target: Path) -> None:
    """Write a result to a file, atomically; create its folder, replace an existing file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target) as file:
        if not body.path:
            file.write(body.content)
            return
        with Path(body.path).open("rb") as large:
            shutil.copyfileobj(large, file)
