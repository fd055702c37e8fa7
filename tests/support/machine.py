"""Measures how much slower this machine is than a reference machine, and multiplies limits by that factor.

The reference is a quiet machine with two cores. Time limits of tests are written for it, as `limit_s(10)`. A
time-out of the product that a good call must not reach is `timeout_s(1)`.
"""

import functools
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

_VARIABLE = "TEST_MACHINE_SLOWNESS"  # passes the measured factor on to child processes
_ROUNDS = 3
_WAKE_UPS = 5_000
_COUNT = "n = 0\nfor i in range(4_000_000): n += i * i"
_REFERENCE_S = {"Python": 0.34, "process start": 0.010, "wake-up": 0.000_035}


class Slowness(NamedTuple):
    """A factor of at least 1, and the ratios to the reference that it is the largest of."""

    factor: float
    ratios: dict[str, float]

    def __str__(self) -> str:
        ratios = ", ".join(f"{name} {ratio:.1f}" for name, ratio in self.ratios.items())
        return f"limits are multiplied by {self.factor:.1f} (slower than the reference by: {ratios})"


def limit_s(reference_s: float) -> float:
    """Return a limit in seconds that fits this machine, given the one that fits the reference machine."""
    return reference_s * slowness().factor * _processes_per_core()


def limit_now_s(reference_s: float) -> float:
    """Return a limit that also fits what else the machine does now, which takes a second to find out."""
    return max(limit_s(reference_s), reference_s * _python_s() / _REFERENCE_S["Python"])


def timeout_s(reference_s: float) -> float:
    """Return a time-out for an option of the product that good calls must not reach."""
    return round(reference_s * slowness().factor, 1)


def processor_s(reference_s: float) -> float:
    """Return a limit for the time that the processor works, which others that use it do not lengthen."""
    return reference_s * slowness().factor


@functools.cache
def slowness() -> Slowness:
    """Measure this machine once, for this process and all that it starts; it takes three seconds."""
    known = os.environ.get(_VARIABLE)
    if known:
        return Slowness(float(known), {})
    measures: dict[str, Callable[[], float]] = {
        "Python": _python_s,
        "process start": _process_s,
        "wake-up": _wake_up_s,
    }
    ratios = {
        name: statistics.median(taken_s() for _ in range(_ROUNDS)) / _REFERENCE_S[name]
        for name, taken_s in measures.items()
    }
    factor = max(1.0, *ratios.values())
    os.environ[_VARIABLE] = str(factor)
    return Slowness(factor, ratios)


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


@functools.cache
def _processes_per_core() -> float:
    """Return how many test processes share a core, if more than one does."""
    return max(1.0, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) / _cores())


def _python_s() -> float:
    """Return the time that every core needs for a fixed loop when all of them run it."""
    began = time.perf_counter()
    counting = [subprocess.Popen([sys.executable, "-I", "-c", _COUNT]) for _ in range(_cores())]
    for process in counting:
        process.wait()
    return time.perf_counter() - began


def _process_s() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-S", "-c", ""], check=True)
    return time.perf_counter() - began


def _wake_up_s() -> float:
    """Return the time in which a thread that waits for a pipe notices a byte, on average."""
    (request_end, request), (reply_end, reply) = os.pipe(), os.pipe()

    def echo() -> None:
        for _ in range(_WAKE_UPS):
            os.write(reply, os.read(request_end, 1))

    echoing = threading.Thread(target=echo)
    echoing.start()
    began = time.perf_counter()
    for _ in range(_WAKE_UPS):
        os.write(request, b"x")
        os.read(reply_end, 1)
    taken_s = time.perf_counter() - began
    echoing.join()
    for descriptor in (request_end, request, reply_end, reply):
        os.close(descriptor)
    return taken_s / _WAKE_UPS / 2
