"""Files on their way between the server and an actor's node, in pieces. It must not know whose they are.

What fails there is an error of Ray's, also when it is the node's disk; what fails here is an `OSError` only.
"""

import asyncio
from pathlib import Path
from typing import Any

from deepaas.contents import replacing
from deepaas.engines.on_ray.said import PIECE_BYTES
from deepaas.private import make_folders


async def send(path: Path, actor: Any, name: str) -> None:
    """Copy a file to the actor's node, where it is called `name`."""
    with path.open("rb") as file:
        await actor.add.remote(name, b"")
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            await actor.add.remote(name, piece)


async def bring(actor: Any, source: str, target: Path) -> None:
    """Copy a file of the actor's node here, whole or not at all."""
    make_folders(target.parent)
    with replacing(target) as file:
        while piece := await actor.piece_at.remote(source, file.tell()):
            await asyncio.to_thread(file.write, piece)
