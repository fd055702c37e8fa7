"""Shared memory of server and worker: which call has started, which are revoked or cancelled.

The worker writes the first, the server the others; what the worker wrote can be read when it has died. Calls
are numbered in the order in which they are sent to the worker, from 1.
"""

import fcntl
import mmap
import os
import struct
import tempfile
from typing import Self

_LAYOUT = struct.Struct("=QQQ")
_NUMBER = struct.Struct("=Q")


class SharedProgress:
    """Three numbers, all 0 at first: of the last call that was begun, taken back, and given up."""

    def __init__(self, descriptor: int) -> None:
        """Share the memory of `descriptor`, which is closed, so that nothing else can touch it."""
        try:
            self._memory = mmap.mmap(descriptor, _LAYOUT.size)
        finally:
            os.close(descriptor)

    @classmethod
    def create(cls) -> tuple[Self, int]:
        """Make a marker, and the descriptor with which a process can share it."""
        descriptor = _create_shared_file()
        try:
            return cls(os.dup(descriptor)), descriptor
        except OSError:
            os.close(descriptor)
            raise

    @property
    def last_started(self) -> int:
        """The number of the last call that was begun, whether or not it has ended."""
        return int(_NUMBER.unpack_from(self._memory, 0)[0])

    @last_started.setter
    def last_started(self, number: int) -> None:
        _NUMBER.pack_into(self._memory, 0, number)

    @property
    def revoked_up_to(self) -> int:
        """The number of the last call that must not be begun any more."""
        return int(_NUMBER.unpack_from(self._memory, _NUMBER.size)[0])

    @revoked_up_to.setter
    def revoked_up_to(self, number: int) -> None:
        _NUMBER.pack_into(self._memory, _NUMBER.size, number)

    @property
    def cancelled_stream(self) -> int:
        """The number of the last call whose caller left when its result had begun to come."""
        return int(_NUMBER.unpack_from(self._memory, 2 * _NUMBER.size)[0])

    @cancelled_stream.setter
    def cancelled_stream(self, number: int) -> None:
        _NUMBER.pack_into(self._memory, 2 * _NUMBER.size, number)

    def close(self) -> None:
        """Let go of the memory."""
        self._memory.close()


def _create_shared_file() -> int:
    """Return the descriptor of a file that lives in memory and, where the system can, never shrinks.

    A worker's code may reach for any descriptor; reading memory whose file was cut off would kill the server.
    """
    if not hasattr(os, "memfd_create"):
        with tempfile.TemporaryFile() as file:
            file.write(bytes(_LAYOUT.size))
            file.flush()
            return os.dup(file.fileno())
    descriptor = os.memfd_create("deepaas-marker", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, _LAYOUT.size)
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor
