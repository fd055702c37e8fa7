"""Folders for uploads: a training keeps its own; a prediction's is temporary, and partly in memory."""

import asyncio
import contextlib
import dataclasses
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
from deepaas.thread_pools import FILES_EXECUTOR, run_in_executor

SMALL_FILE_BYTES = 1 << 20
"""Maximum size of a file in memory."""

_PREFIX = "deepaas-scratch-"
_MEMORY_FILESYSTEM = Path("/dev/shm")  # noqa: S108 - tmpfs on Linux
_LOCK_GRACE_S = 60.0
_MAX_SUFFIX_LENGTH = 40


class UploadFolder:
    """A private folder for uploads, created with the first one, and deleted only by `delete`.

    Files are numbered, with the suffix of the original filename; `files` are their paths.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.files: list[str] = []

    def create_file_path(self, original_filename: str) -> Path:
        """Return a path for a new file."""
        make_folders(Path(self.path))
        path = Path(self.path) / self._create_name(original_filename)
        self.files.append(str(path))
        return path

    def write_small_file(self, original_filename: str, content: Sequence[bytes | bytearray]) -> str:
        """Write a file of up to `SMALL_FILE_BYTES`; return its path."""
        path = self.create_file_path(original_filename)
        with open_file(path, "wb") as file:
            file.writelines(content)
        return str(path)

    async def delete(self) -> None:
        """Delete the folder and its content; errors are ignored."""
        await _delete_folders([self.path])

    def _create_name(self, original_filename: str) -> str:
        return f"{len(self.files)}{sanitize_suffix(original_filename)}"


@dataclasses.dataclass
class MemoryRoot:
    """The parent of scratch folders in memory; all their files together use at most `available_bytes`."""

    path: str
    available_bytes: int = 64 << 20


class ScratchFolder(UploadFolder):
    """One request's folder on disk, and one in memory for small files; each is created on first use.

    A worker that writes a result to `path` adds it to `files`. Use it as an asynchronous context manager:
    leaving deletes both folders.
    """

    def __init__(self, root: str, memory_root: MemoryRoot | None, name: str) -> None:
        super().__init__(f"{root}/{name}")
        self._memory_root = memory_root
        self._memory_path = f"{memory_root.path}/{name}" if memory_root else ""
        self._reserved_bytes = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, error: type[BaseException] | None, *_: object) -> None:
        remaining = []
        if self._memory_root and self._reserved_bytes:
            if not self._delete_from_memory():
                remaining.append(self._memory_path)
            self._memory_root.available_bytes += self._reserved_bytes
        # A failed call may have written files. Looking for the folder of every call would take 1.5 µs.
        if (self.files or error) and os.access(self.path, os.F_OK):
            remaining.append(self.path)
        if remaining:
            await _delete_folders(remaining)

    def write_small_file(self, original_filename: str, content: Sequence[bytes | bytearray]) -> str:
        """Write a file of up to `SMALL_FILE_BYTES`, in memory if possible; return its path."""
        size = max(1, sum(map(len, content)))
        if self._memory_root and size <= self._memory_root.available_bytes:
            self._memory_root.available_bytes -= size
            self._reserved_bytes += size
            with contextlib.suppress(OSError):
                return self._write_in_memory(original_filename, content)
        return super().write_small_file(original_filename, content)

    def _write_in_memory(self, original_filename: str, content: Sequence[bytes | bytearray]) -> str:
        with contextlib.suppress(FileExistsError):
            os.mkdir(self._memory_path, 0o700)  # noqa: PTH102 - half the time of pathlib's
        path = f"{self._memory_path}/{self._create_name(original_filename)}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        try:
            if os.writev(descriptor, content) < sum(map(len, content)):
                os.unlink(path)  # noqa: PTH108 - as above
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        finally:
            os.close(descriptor)
        self.files.append(path)
        return path

    def _delete_from_memory(self) -> bool:
        """Delete our files directly; return whether that succeeds, since user code may add or delete some."""
        try:
            for path in self.files:
                if path.startswith(self._memory_path):
                    os.unlink(path)  # noqa: PTH108 - as above
            os.rmdir(self._memory_path)  # noqa: PTH106 - likewise
        except OSError:
            return False
        return True


class ScratchRoot:
    """The parent of a server's scratch folders: a folder on disk and, where available, one in memory.

    Use it as a context manager: entering also deletes the folders of killed servers, leaving deletes its own.
    """

    def __init__(self, memory_parent: Path = _MEMORY_FILESYSTEM) -> None:
        self._folder_numbers = itertools.count(1)
        self._memory_parent = memory_parent
        self._path: str | None = None
        self._memory_root: MemoryRoot | None = None
        self._exit_stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._path = self._exit_stack.enter_context(_create_locked_folder(Path(tempfile.gettempdir())))
        # With TMPDIR set, all temporary files belong there.
        if not os.environ.get("TMPDIR") and self._memory_parent.is_dir():
            with contextlib.suppress(OSError):
                folder = _create_locked_folder(self._memory_parent)
                self._memory_root = MemoryRoot(self._exit_stack.enter_context(folder))
        return self

    def __exit__(self, *_: object) -> None:
        self._exit_stack.close()

    @property
    def path(self) -> str:
        """The folder on disk."""
        assert self._path is not None, "enter the ScratchRoot first"
        return self._path

    def create_folder(self) -> ScratchFolder:
        """Return a scratch folder for a new request."""
        return ScratchFolder(self.path, self._memory_root, str(next(self._folder_numbers)))


async def _delete_folders(paths: Sequence[str]) -> None:
    """Delete folders with their content in a thread; errors are ignored.

    Shielded: asyncio cancels work that waits for a free thread together with the task that awaits it.
    """
    await asyncio.shield(run_in_executor(FILES_EXECUTOR, _delete_now, paths))


def _delete_now(paths: Sequence[str]) -> None:
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)


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
