"""Tunes the interpreter and glibc's malloc for a server."""

import ctypes
import gc
import sys

_GC_THRESHOLD = 10_000
"""New objects before a garbage collection: each in-flight call has some dozens, none of them in a cycle."""
_SWITCH_INTERVAL_S = 0.001
"""How long a thread may keep the GIL while the event loop waits for it, which happens several times per
request. Python's default of 5 ms adds up to 70 ms while large requests are read; 1 ms adds up to 30 ms."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_TRIM_THRESHOLD_BYTES = 16 << 20
"""Several bodies of the largest size that is kept in memory."""
_MMAP_THRESHOLD_BYTES = 4 << 20
"""More than one such body, so that malloc does not map each one separately."""


def tune_for_serving() -> None:
    """Tune the process; call it after all imports and long-lived objects."""
    # The existing objects stay: exclude them from all future collections.
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Let glibc reuse the memory of bodies.

    By default it returns each block to the kernel, which then has to clear every page of the next one:
    https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option:  # other C libraries do not have it
        set_option(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD_BYTES)
        set_option(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES)
