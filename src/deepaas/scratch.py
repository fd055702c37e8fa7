"""Scratch folders: temporary files of requests, on disk or, for small uploads, in memory."""

import asyncio
import contextlib
import errno
import fcntl
import itertools
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Self

from deepaas.private_files import FILE_MODE, make_folders, open_file

SMALL_FILE_BYTES = 1 << 20
"""Maximum size of a file in memory."""

_PREFIX = "deepaas-scratch-"
_MEMORY_FILESYSTEM = Path("/dev/shm")  # noqa: S108 - tmpfs on Linux
_MEMORY_BUDGET_BYTES = 64 << 20
_LOCK_GRACE_S = 60.0
_MAX_SUFFIX_LENGTH = 40


class MemoryBudget:
    """Limits the total size of the files that all requests keep in memory."""

    def __init__(self, size: int) -> None:
        self._available_bytes = size

    def reserve(self, size: int) -> bool:
        """Reserve `size` bytes; return whether enough bytes were available."""
        if size > self._available_bytes:
            return False
        self._available_bytes -= size
        return True

    def release(self, size: int) -> None:
        """Return reserved bytes to the budget."""
        self._available_bytes += size


class ScratchFolder:
    """One request's folder on disk, and one in memory for small files; each is created on first use.

    Use it as an asynchronous context manager: leaving deletes both folders.
    """

    def __init__(self, path: str, memory_path: str | None = None, budget: MemoryBudget | None = None) -> None:
        self.path = path
        self._memory_path = memory_path
        self._budget = budget
        self._file_numbers = itertools.count()
        self._may_exist = False
        self._disk_files: list[str] = []
        self._memory_files: list[str] = []
        self._has_memory_folder = False
        self._reserved_bytes = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reserved_bytes or self._has_memory_folder:
            await self._clear_memory()
        if self._may_exist:
            await asyncio.to_thread(shutil.rmtree, self.path, ignore_errors=True)

    @property
    def files(self) -> list[str]:
        """The paths of all created files; their names are unique across both folders."""
        return self._disk_files + self._memory_files

    def create_file_path(self, original_filename: str) -> Path:
        """Return a path for a new file on disk, with the suffix of the original filename."""
        make_folders(Path(self.path))
        self._may_exist = True
        path = Path(self.path) / self._create_name(original_filename)
        self._disk_files.append(str(path))
        return path

    def write_small_file(self, original_filename: str, content: Sequence[bytes | bytearray]) -> str:
        """Write a file of up to `SMALL_FILE_BYTES`, in memory if the budget allows; return its path."""
        size = sum(map(len, content))
        with contextlib.suppress(OSError):
            if self._memory_path and self._budget and self._budget.reserve(size):
                self._reserved_bytes += size
                return self._write_in_memory(self._memory_path, original_filename, content, size)
        path = self.create_file_path(original_filename)
        with open_file(path, "wb") as file:
            file.writelines(content)
        return str(path)

    def persist(self) -> None:
        """Keep the folder on disk when the context is left."""
        self._may_exist = False

    def mark_used(self) -> None:
        """Delete the folder on leaving, because another process may have written files to it."""
        self._may_exist = True

    def _create_name(self, original_filename: str) -> str:
        return f"{next(self._file_numbers)}{sanitize_suffix(original_filename)}"

    def _write_in_memory(
        self, folder: str, original_filename: str, content: Sequence[bytes | bytearray], size: int
    ) -> str:
        if not self._has_memory_folder:
            os.mkdir(folder, 0o700)  # noqa: PTH102 - half the time of pathlib's
            self._has_memory_folder = True
        path = f"{folder}/{self._create_name(original_filename)}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        try:
            if os.writev(descriptor, content) < size:
                os.unlink(path)  # noqa: PTH108 - as below
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        finally:
            os.close(descriptor)
        self._memory_files.append(path)
        return path

    async def _clear_memory(self) -> None:
        """Delete our files in memory directly, which is fast; use a thread if user code added others."""
        assert self._memory_path is not None
        assert self._budget is not None
        for path in self._memory_files:
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - half the time of pathlib's
        try:
            os.rmdir(self._memory_path)  # noqa: PTH106 - likewise
        except OSError:
            await asyncio.to_thread(shutil.rmtree, self._memory_path, ignore_errors=True)
        self._budget.release(self._reserved_bytes)


class ScratchRoot:
    """The parent of a server's scratch folders: a folder on disk and, where available, one in memory.

    Use it as a context manager: entering also deletes the folders of killed servers, leaving deletes its own.
    """

    def __init__(self, memory_parent: Path = _MEMORY_FILESYSTEM) -> None:
        self._folder_numbers = itertools.count(1)
        self._budget = MemoryBudget(_MEMORY_BUDGET_BYTES)
        self._memory_parent = memory_parent
        self._path: str | None = None
        self._memory_path: str | None = None
        self._exit_stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._path = self._exit_stack.enter_context(_create_locked_folder(Path(tempfile.gettempdir())))
        # With TMPDIR set, all temporary files belong there.
        if not os.environ.get("TMPDIR") and self._memory_parent.is_dir():
            with contextlib.suppress(OSError):
                self._memory_path = self._exit_stack.enter_context(_create_locked_folder(self._memory_parent))
        return self

    def __exit__(self, *_: object) -> None:
        self._exit_stack.close()
        self._path = self._memory_path = None

    @property
    def path(self) -> str:
        """The folder on disk."""
        assert self._path is not None, "enter the ScratchRoot first"
        return self._path

    def create_folder(self) -> ScratchFolder:
        """Return a scratch folder for a new request."""
        assert self._path is not None, "enter the ScratchRoot first"
        number = next(self._folder_numbers)
        if self._memory_path is None:
            return ScratchFolder(f"{self._path}/{number}")
        return ScratchFolder(f"{self._path}/{number}", f"{self._memory_path}/{number}", self._budget)


def remove_parent_folder(path: str) -> None:
    """Delete the scratch folder of a file whose client has disconnected."""
    shutil.rmtree(Path(path).parent, ignore_errors=True)


def sanitize_suffix(filename: str) -> str:
    """Return the suffixes of an untrusted filename, such as ``.png`` or ``.nii.gz``.

    The result is empty if they contain anything but letters, digits, dots, dashes and underscores.
    """
    suffix = "".join(PurePosixPath(filename.replace("\\", "/")).suffixes)[-_MAX_SUFFIX_LENGTH:]
    suffix = suffix[suffix.find(".") :] if "." in suffix else ""
    return suffix if re.fullmatch(r"(\.[A-Za-z0-9_-]+)+", suffix) else ""


@contextlib.contextmanager
def _create_locked_folder(parent: Path) -> Iterator[str]:
    """Create a folder in `parent` that stays locked while this process lives; delete it on leaving."""
    _remove_stale_folders(parent)
    folder = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _remove_stale_folders(parent: Path) -> None:
    """Delete the folders of killed servers: the system released their locks, but their files remain."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - folder.stat().st_mtime > _LOCK_GRACE_S:
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
