"""Writes a result as a file that appears complete or not at all."""

import shutil
from pathlib import Path

from deepaas.atomic_files import atomic_write, guess_extension
from deepaas.messages import Body


def save_result(body: Body, folder: Path, name: str) -> str:
    """Write a result below `folder`, and return its path there: `name` and the suffix of its media type."""
    place = name + guess_extension(body.media_type)
    write_result(body, folder / place)
    return place


def write_result(body: Body, target: Path) -> None:
    """Write a result to a file, which takes the place of one that is there; its folder is made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target) as file:
        if not body.path:
            file.write(body.content)
            return
        with Path(body.path).open("rb") as large:
            shutil.copyfileobj(large, file)
