"""Copies files to and from an actor's node in chunks; the server's end and the actor's.

What fails there is an error of Ray's, also when it is the node's disk; what fails here is an `OSError` only.
"""

import asyncio
import shutil
from pathlib import Path
from typing import Any

from deepaas.atomic_files import atomic_write
from deepaas.engines.ray.wire import CHUNK_BYTES
from deepaas.private_files import make_folders, open_file


def append_chunk(path: str, chunk: bytes) -> None:
    """Append a piece to a file, which is made, with its folder, when it is not there."""
    make_folders(Path(path).parent)
    with open_file(Path(path), "ab") as file:
        file.write(chunk)


def read_chunk(path: str, offset: int) -> bytes:
    """Return the piece of a file that begins at `offset`; nothing at the end, or without a file."""
    try:
        with Path(path).open("rb") as file:
            file.seek(offset)
            return file.read(CHUNK_BYTES)
    except FileNotFoundError:
        return b""


def delete_folder(path: str) -> None:
    """Remove a folder with all that is in it."""
    shutil.rmtree(path, ignore_errors=True)


async def upload(path: Path, actor: Any, name: str) -> None:
    """Copy a file to the actor's node, where it is called `name`."""
    with path.open("rb") as file:
        await actor.append_chunk.remote(name, b"")
        while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
            await actor.append_chunk.remote(name, piece)


async def download(actor: Any, source: str, target: Path) -> None:
    """Copy a file of the actor's node here, whole or not at all."""
    make_folders(target.parent)
    with atomic_write(target) as file:
        while piece := await actor.read_chunk.remote(source, file.tell()):
            await asyncio.to_thread(file.write, piece)
