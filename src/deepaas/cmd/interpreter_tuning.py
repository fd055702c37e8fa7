"""Settings of the interpreter and of malloc for a server, with the reasons for them."""

import ctypes
import gc
import sys

_GC_THRESHOLD = 10_000
"""New objects before the collector looks: each call in flight has some dozens, none of them in a cycle."""
_SWITCH_INTERVAL_S = 0.001
"""How long a thread may keep the interpreter while the event loop waits for it, which happens several times a
request. Python's 5 ms add up to 70 ms while large requests are read; 1 ms to 30."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_TRIM_THRESHOLD_BYTES = 16 << 20
"""Some bodies of the largest size that is kept in memory."""
_MMAP_THRESHOLD_BYTES = 4 << 20
"""More than one such body, so that none is mapped by itself."""


def tune_for_serving() -> None:
    """Prepare the process for requests, when everything that they need has been imported and created."""
    # What is there now stays; the collector need not look at it again and again.
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Let glibc reuse the memory of bodies.

    By itself it gives each piece back to the system, which then clears every page anew for the next.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option:  # there is none in other C libraries
        set_option(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD_BYTES)
        set_option(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES)
