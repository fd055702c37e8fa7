"""Files and folders that only their owner may read, whatever the umask is."""

import contextlib
import os
from pathlib import Path
from typing import IO

_FOLDER_MODE = 0o700
FILE_MODE = 0o600


def open_file(path: Path, mode: str, buffering: int = -1) -> IO[bytes]:
    """Open a file in a binary mode; it is private if it is made here."""
    # pathlib's open() takes no opener.
    return open(path, mode, buffering, opener=lambda name, flags: os.open(name, flags, FILE_MODE))


def make_folders(path: Path) -> None:
    """Make a folder and those above it that are missing. Those that are there keep their mode."""
    if path.is_dir():
        return
    make_folders(path.parent)
    path.mkdir(mode=_FOLDER_MODE, exist_ok=True)


def restrict_to_owner(path: Path) -> None:
    """Take from others what an older version let them do with a file or a folder that is ours."""
    with contextlib.suppress(OSError):
        path.chmod(path.stat().st_mode & _FOLDER_MODE)
