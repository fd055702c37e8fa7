"""Copies files to and from an actor's node in chunks: the server's side and the actor's side.

On the server, errors of the node, including its disk, are `RayError`s; local errors are plain `OSError`s.
"""

import asyncio
import shutil
from pathlib import Path
from typing import Any

from deepaas.atomic_files import atomic_write
from deepaas.engines.ray.wire import CHUNK_BYTES
from deepaas.private_files import make_folders, open_file


def append_chunk(path: str, chunk: bytes) -> None:
    """Append a chunk to a file; create the file and its folder if necessary."""
    make_folders(Path(path).parent)
    with open_file(Path(path), "ab") as file:
        file.write(chunk)


def read_chunk(path: str, offset: int) -> bytes:
    """Return the chunk of a file that starts at `offset`; empty at the end, or if there is no file."""
    try:
        with Path(path).open("rb") as file:
            file.seek(offset)
            return file.read(CHUNK_BYTES)
    except FileNotFoundError:
        return b""


def delete_folder(path: str) -> None:
    """Delete a folder and its content; errors are ignored."""
    shutil.rmtree(path, ignore_errors=True)


async def upload(path: Path, actor: Any, name: str) -> None:
    """Copy a local file to the actor's node, under the relative path `name`."""
    with path.open("rb") as file:
        await actor.append_chunk.remote(name, b"")
        while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
            await actor.append_chunk.remote(name, piece)


async def download(actor: Any, source: str, target: Path) -> None:
    """Copy a file from the actor's node; `target` appears only when it is complete."""
    make_folders(target.parent)
    with atomic_write(target) as file:
        while piece := await actor.read_chunk.remote(source, file.tell()):
            await asyncio.to_thread(file.write, piece)
