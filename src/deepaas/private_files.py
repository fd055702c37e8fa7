"""Files and folders that only their owner can access, regardless of the umask."""

import contextlib
import os
from pathlib import Path
from typing import IO

_FOLDER_MODE = 0o700
FILE_MODE = 0o600


def open_file(path: Path, mode: str, buffering: int = -1) -> IO[bytes]:
    """Open a file in a binary mode; a new file is private."""
    # Path.open() has no `opener`.
    return open(path, mode, buffering, opener=lambda name, flags: os.open(name, flags, FILE_MODE))


def make_folders(path: Path) -> None:
    """Create a folder and its missing parents as private; existing ones keep their mode."""
    if path.is_dir():
        return
    make_folders(path.parent)
    path.mkdir(mode=_FOLDER_MODE, exist_ok=True)


def restrict_to_owner(path: Path) -> None:
    """Remove the permissions of group and others, which older versions granted; errors are ignored."""
    with contextlib.suppress(OSError):
        path.chmod(path.stat().st_mode & _FOLDER_MODE)
