"""Files on an actor's node, written and read in pieces. It must not import Ray, nor know whose they are."""

import shutil
from pathlib import Path

from deepaas.engines.on_ray.said import PIECE_BYTES
from deepaas.private import make_folders, open_file


def add(path: str, piece: bytes) -> None:
    """Append a piece to a file, which is made, with its folder, when it is not there."""
    make_folders(Path(path).parent)
    with open_file(Path(path), "ab") as file:
        file.write(piece)


def piece_at(path: str, offset: int) -> bytes:
    """Return the piece of a file that begins at `offset`; nothing at the end, or without a file."""
    try:
        with Path(path).open("rb") as file:
            file.seek(offset)
            return file.read(PIECE_BYTES)
    except FileNotFoundError:
        return b""


def drop(path: str) -> None:
    """Remove a folder with all that is in it."""
    shutil.rmtree(path, ignore_errors=True)
