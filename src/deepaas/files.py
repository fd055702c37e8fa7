"""A request's scratch folder: where its uploads and large results live, and die with it.

It must not know HTTP, nor what is in the files.
"""

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

from deepaas.private import FILE_MODE, make_folders, open_file

SMALL_BYTES = 1 << 20
"""The size up to which a file may be kept in memory."""

_PREFIX = "deepaas-scratch-"
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux keeps files in memory
_MOST_IN_MEMORY_BYTES = 64 << 20
_SURELY_LOCKED_S = 60.0
_SUFFIX_LENGTH = 40


class Budget:
    """How many bytes of files may be in memory at once, for all requests together."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, size: int) -> bool:
        """Take `size` bytes if there are that many left; say whether there were."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def give_back(self, size: int) -> None:
        """Give back what was taken."""
        self._left += size


class Scratch:
    """One request's folder, and one in memory for its small files. Each is made when it is first needed.

    Use it as an asynchronous context manager: leaving removes the folders and all that is in them.
    """

    def __init__(self, path: str, path_in_memory: str | None = None, budget: Budget | None = None) -> None:
        self.path = path
        self._path_in_memory = path_in_memory
        self._budget = budget
        self._numbers = itertools.count()
        self._may_exist = False
        self._on_disk: list[str] = []
        self._in_memory: list[str] = []
        self._has_memory = False
        self._taken = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._taken or self._has_memory:
            await self._clear_memory()
        if self._may_exist:
            await asyncio.to_thread(shutil.rmtree, self.path, ignore_errors=True)

    @property
    def files(self) -> list[str]:
        """The paths of the files that were asked for; their names differ also when their folders do."""
        return self._on_disk + self._in_memory

    def new_file(self, original_filename: str) -> Path:
        """Return the path of a file yet to be written, with the suffix of the name it came under."""
        make_folders(Path(self.path))
        self._may_exist = True
        path = Path(self.path) / self._new_name(original_filename)
        self._on_disk.append(str(path))
        return path

    def write_small(self, original_filename: str, content: Sequence[bytes | bytearray]) -> str:
        """Write a file of `SMALL_BYTES` at the most, in memory if there is room, and return its path."""
        size = sum(map(len, content))
        with contextlib.suppress(OSError):
            if self._path_in_memory and self._budget and self._budget.take(size):
                self._taken += size
                return self._write_in_memory(self._path_in_memory, original_filename, content, size)
        path = self.new_file(original_filename)
        with open_file(path, "wb") as file:
            file.writelines(content)
        return str(path)

    def keep(self) -> None:
        """Let the folder be when the context is left."""
        self._may_exist = False

    def note_use(self) -> None:
        """Say that somebody else may have put files here."""
        self._may_exist = True

    def _new_name(self, original_filename: str) -> str:
        return f"{next(self._numbers)}{safe_suffix(original_filename)}"

    def _write_in_memory(
        self, folder: str, original_filename: str, content: Sequence[bytes | bytearray], size: int
    ) -> str:
        if not self._has_memory:
            os.mkdir(folder, 0o700)  # noqa: PTH102 - half the time of pathlib's
            self._has_memory = True
        path = f"{folder}/{self._new_name(original_filename)}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        try:
            if os.writev(descriptor, content) < size:
                os.unlink(path)  # noqa: PTH108 - as below
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        finally:
            os.close(descriptor)
        self._in_memory.append(path)
        return path

    async def _clear_memory(self) -> None:
        """Remove the files in memory, which takes no time; look for others where something was left."""
        assert self._path_in_memory is not None
        assert self._budget is not None
        for path in self._in_memory:
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - half the time of pathlib's
        try:
            os.rmdir(self._path_in_memory)  # noqa: PTH106 - likewise
        except OSError:
            await asyncio.to_thread(shutil.rmtree, self._path_in_memory, ignore_errors=True)
        self._budget.give_back(self._taken)


class ScratchSpace:
    """What holds all scratch folders of one server: a folder on disk, and one in memory if there can be.

    Use it as a context manager: leaving removes both. Entering removes those of servers that were killed.
    """

    def __init__(self, in_memory: Path = _IN_MEMORY) -> None:
        self._numbers = itertools.count(1)
        self._budget = Budget(_MOST_IN_MEMORY_BYTES)
        self._parent_in_memory = in_memory
        self._root: str | None = None
        self._root_in_memory: str | None = None
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._root = self._open.enter_context(_locked_folder(Path(tempfile.gettempdir())))
        # Who names another place for temporary files means it.
        if not os.environ.get("TMPDIR") and self._parent_in_memory.is_dir():
            with contextlib.suppress(OSError):
                self._root_in_memory = self._open.enter_context(_locked_folder(self._parent_in_memory))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self._root = self._root_in_memory = None

    @property
    def root(self) -> str:
        """The folder on disk."""
        assert self._root is not None, "the scratch space is not open"
        return self._root

    def folder(self) -> Scratch:
        """Return the folder for one more request."""
        assert self._root is not None, "the scratch space is not open"
        number = next(self._numbers)
        if self._root_in_memory is None:
            return Scratch(f"{self._root}/{number}")
        return Scratch(f"{self._root}/{number}", f"{self._root_in_memory}/{number}", self._budget)


def remove_folder_of(path: str) -> None:
    """Remove the scratch folder that holds a file nobody waits for any more."""
    shutil.rmtree(Path(path).parent, ignore_errors=True)


def safe_suffix(filename: str) -> str:
    """Return the suffixes of a name that a stranger chose, such as ``.png`` or ``.nii.gz``, or nothing.

    Only letters, digits, dots, dashes and underscores are let through.
    """
    suffix = "".join(PurePosixPath(filename.replace("\\", "/")).suffixes)[-_SUFFIX_LENGTH:]
    suffix = suffix[suffix.find(".") :] if "." in suffix else ""
    return suffix if re.fullmatch(r"(\.[A-Za-z0-9_-]+)+", suffix) else ""


@contextlib.contextmanager
def _locked_folder(parent: Path) -> Iterator[str]:
    """Make a folder in `parent` that is locked as long as this process lives, and remove it in the end."""
    _remove_unlocked(parent)
    folder = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _remove_unlocked(parent: Path) -> None:
    """Remove the folders of servers that were killed: their locks went with them, their files did not."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - folder.stat().st_mtime > _SURELY_LOCKED_S:
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
