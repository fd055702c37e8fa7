"""Atomic writing of files, SHA-256 digests, and extensions of media types."""

import contextlib
import errno
import hashlib
import mimetypes
import os
import re
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from deepaas.private_files import open_file

_CHUNK_BYTES = 1 << 20
_OPEN_FILE_PATTERN = re.compile(r"/dev/(std(in|out|err)$|fd/)|/proc/")


def compute_sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_with_sha256(source: Path, target: Path) -> str:
    """Copy a file, reading it once; return the hexadecimal SHA-256 of the copy."""
    digest = hashlib.sha256()
    with source.open("rb") as whole, target.open("wb") as copy:
        while chunk := whole.read(_CHUNK_BYTES):
            digest.update(chunk)
            copy.write(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def atomic_write(path: Path, *, is_private: bool = False) -> Iterator[IO[bytes]]:
    """Open a temporary file that replaces `path` when the context is left; on an error, it is deleted.

    An existing file keeps its mode; a new one may be private. For a symbolic link, its target is replaced. A
    path that cannot be replaced (see `is_replaceable`) is opened for appending.
    """
    if not is_replaceable(path):
        with path.open("ab") as file:  # /dev/stdout may be a file that other processes write to
            yield file
        return
    target = Path(os.path.realpath(path))
    unfinished = target.with_name(f".{uuid.uuid4().hex}.part")
    if target.exists() and not os.access(target.parent, os.W_OK):
        unfinished = Path(tempfile.gettempdir(), unfinished.name)
    try:
        with open_file(unfinished, "xb") if is_private else unfinished.open("xb") as file:
            if target.exists():
                os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
            yield file
        _replace_or_overwrite(unfinished, target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _replace_or_overwrite(unfinished: Path, target: Path) -> None:
    """Replace `target`; overwrite it if its folder is read-only or it is a mount point."""
    try:
        unfinished.replace(target)
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM) or not target.is_file():
            raise
        shutil.copyfile(unfinished, target)
        unfinished.unlink()


def is_replaceable(path: Path) -> bool:
    """Return whether `path`, which need not exist, can be replaced by a new file.

    False for devices, pipes and sockets, and for links to open files, such as `/dev/stdout`.
    """
    is_open_file = _OPEN_FILE_PATTERN.match(str(path.absolute()))
    return not is_open_file and (path.is_file() or path.is_dir() or not path.exists())


def guess_extension(media_type: str) -> str:
    """Return the usual file extension of a media type, such as ``.png``, or else ``.bin``."""
    plain = media_type.partition(";")[0].strip().lower()
    usual = mimetypes.guess_extension(plain, strict=False)
    subtype = plain.rpartition("/")[2].removeprefix("x-")
    return usual or (f".{subtype}" if re.fullmatch(r"[a-z0-9]{1,8}", subtype) else ".bin")
