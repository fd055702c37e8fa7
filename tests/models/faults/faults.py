"""A model with one fault for each value of an argument."""

import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import resource
import signal
import sys
import threading

from webargs import fields

DESCRIPTORS = range(3, 256)
GARBAGE = b"no frame at all, " * 5000


def segfault():
    ctypes.string_at(0)


def stop():
    os.kill(os.getpid(), signal.SIGSTOP)


def endless_loop():
    while True:
        pass


def endless_loop_deaf_to_signals():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    endless_loop()


def endless_loop_in_c():
    return 10**10**9


def deep_recursion():
    return deep_recursion()


def deep_recursion_in_c():
    sys.setrecursionlimit(10**8)
    nested = []
    for _ in range(10**6):
        nested = [nested]
    return json.dumps(nested)


def memory_limit():
    used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), hard))
    try:
        return bytes(512 << 20)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def close_every_descriptor():
    os.closerange(0, 4096)
    return "closed"


def into_every_descriptor(content):
    for descriptor in DESCRIPTORS:
        with contextlib.suppress(OSError):
            os.set_blocking(descriptor, False)
            os.write(descriptor, content)
    return "written"


def fill_the_pipe():
    for descriptor in DESCRIPTORS:
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_NONBLOCK)
            while os.write(descriptor, b"\xff" * 65536):
                pass


def empty_every_file():
    for descriptor in DESCRIPTORS:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
    return "emptied"


def print_100_megabytes():
    print("x" * 100_000_000)
    return "printed"


def die_in(function, event):
    """Kill the process when the worker calls or leaves `function`, in the middle of a reply."""

    def look(frame, happens, what):
        if happens == event and function in (frame.f_code.co_name, getattr(what, "__name__", "")):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(look)
    return "x" * 2_000_000


def die_in_a_thread():
    threading.Timer(0, os._exit, [7]).start()
    return "x"


FAULTS = {
    "segfault": segfault,
    "_exit": lambda: os._exit(3),
    "_exit 0": lambda: os._exit(0),
    "sys.exit": lambda: sys.exit("I leave"),
    "abort": os.abort,
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "SIGSTOP": stop,
    "endless loop": endless_loop,
    "endless loop, deaf": endless_loop_deaf_to_signals,
    "endless loop in C": endless_loop_in_c,
    "deep recursion": deep_recursion,
    "deep recursion in C": deep_recursion_in_c,
    "memory limit": memory_limit,
    "close": close_every_descriptor,
    "garbage": lambda: into_every_descriptor(GARBAGE),
    "nothing but zeros": lambda: into_every_descriptor(bytes(4096)),
    "one byte": lambda: into_every_descriptor(b"\0"),
    "a frame that never ends": lambda: into_every_descriptor((1 << 39).to_bytes(8) + (1).to_bytes(8)),
    "fill": fill_the_pipe,
    "empty": empty_every_file,
    "print": print_100_megabytes,
    "unpicklable": threading.Lock,
    "enormous": lambda: "x" * 200_000_000,
    "die while rendering": lambda: die_in("render", "call"),
    "die while writing a file": lambda: die_in("_create_file", "return"),
    "die before replying": lambda: die_in("send", "c_call"),
    "die after replying": lambda: die_in("send", "return"),
    "die soon": die_in_a_thread,
}


def get_predict_args():
    return {"fault": fields.Str(), "number": fields.Int(load_default=0)}


def predict(number, fault=None):
    with pathlib.Path("runs").open("a") as runs:
        runs.write(f"{fault}\n")
    return FAULTS[fault]() if fault else number
