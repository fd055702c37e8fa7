"""Where a result goes: a file in the output folder, there as a whole or not at all.

It must not know what the result is of.
"""

import shutil
from pathlib import Path

from deepaas.contents import replacing, suffix_for
from deepaas.messages import Body


def keep(body: Body, folder: Path, name: str) -> str:
    """Write a result below `folder`, and return its path there: `name` and the suffix of its media type."""
    place = name + suffix_for(body.media_type)
    write(body, folder / place)
    return place


def write(body: Body, target: Path) -> None:
    """Write a result to a file, which takes the place of one that is there; its folder is made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as file:
        if not body.path:
            file.write(body.content)
            return
        with Path(body.path).open("rb") as large:
            shutil.copyfileobj(large, file)
