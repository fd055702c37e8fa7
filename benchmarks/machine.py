"""Describes the machine for the report."""

import datetime as dt
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import psutil

_PACKAGES = ("aiohttp", "uvloop", "marshmallow", "orjson")


def describe() -> dict[str, str]:
    """Return the facts by name; the load average is measured before the benchmarks."""
    memory_gib = psutil.virtual_memory().total / (1 << 30)
    return {
        "date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC",
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{memory_gib:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load average before": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        "packages": ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES),
        "load": _wrk(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo").read_text()
    name = info.partition("model name")[2].partition(":")[2].partition("\n")[0].strip()
    return name or platform.machine()


def _wrk() -> str:
    """Return the name and version of wrk, which prints them with exit code 1."""
    said = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout
    return " ".join(said.split()[:2])
