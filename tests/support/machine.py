"""Measures how much slower this machine is than a reference machine, and multiplies limits by that factor.

The reference is an idle machine with two cores. Tests state their time limits for it: `limit_s(10)`. Timeouts
of the server that a successful call must not reach are stated as `timeout_s(1)`.
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

_VARIABLE = "TEST_MACHINE_SLOWNESS"  # passes the measured factor to child processes
_ROUNDS = 3
_WAKE_UPS = 5_000
_COUNT = "n = 0\nfor i in range(4_000_000): n += i * i"
_REFERENCE_S = {"Python": 0.34, "process start": 0.010, "wake-up": 0.000_035}


class Slowness(NamedTuple):
    """The slowdown factor, at least 1, and the ratios to the reference, of which it is the largest."""

    factor: float
    ratios: dict[str, float]

    def __str__(self) -> str:
        ratios = ", ".join(f"{name} {ratio:.1f}" for name, ratio in self.ratios.items())
        return f"limits are multiplied by {self.factor:.1f} (slower than the reference by: {ratios})"


def limit_s(reference_s: float) -> float:
    """Return the limit for this machine that corresponds to a limit on the reference machine."""
    return reference_s * slowness().factor * _processes_per_core()


def limit_now_s(reference_s: float) -> float:
    """Return a limit that also allows for the current load of the machine. Measuring takes about a second."""
    return max(limit_s(reference_s), reference_s * _python_s() / _REFERENCE_S["Python"])


def timeout_s(reference_s: float) -> float:
    """Return the value of a server's timeout option that successful calls must not reach."""
    return round(reference_s * slowness().factor, 1)


def processor_s(reference_s: float) -> float:
    """Return a limit for processor time, which other processes on the same cores do not lengthen."""
    return reference_s * slowness().factor


@functools.cache
def slowness() -> Slowness:
    """Measure this machine once, for this process and its children. It takes three seconds."""
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
    """Return the number of test processes per core, at least 1."""
    return max(1.0, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) / _cores())


def _python_s() -> float:
    """Return the time of a fixed loop while all cores run the same loop."""
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
    """Return the average time until a thread that reads a pipe wakes up."""
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
