"""What is measured: each row is a function from a running server to a figure."""

import json
import re
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.systems import Running, System

_POST = 'wrk.method = "POST"\n'
_SECONDS = "4"


def throughput(system: System, running: Running, connections: int = 32) -> float:
    """Return small predictions a second at that many connections."""
    found = re.search(r"Requests/sec:\s*([\d.]+)", _wrk(system, running, connections))
    assert found
    return float(found[1])


def latency_ms(system: System, running: Running) -> float:
    """Return the median latency of small predictions at one connection, in milliseconds."""
    found = re.search(r"50%\s+([\d.]+)(us|ms|s)", _wrk(system, running, 1))
    assert found
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]


def training_ms(system: System, running: Running) -> float:
    """Return the time from asking for a training that does nothing until it is done, in milliseconds."""
    began = time.perf_counter()
    record = _json("POST", f"{running.url}{system.train_path}")
    while record["status"] == "running":
        time.sleep(0.002)
        record = _json("GET", f"{running.url}{system.train_path}{record['uuid']}")
    assert record["status"] == "done", record
    return (time.perf_counter() - began) * 1000


def _wrk(system: System, running: Running, connections: int) -> str:
    url = f"{running.url}{system.path}?x=1"
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_POST)
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{_SECONDS}", "--latency", "-s", script.name, url]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in output, output
    return output


def _json(method: str, url: str) -> dict[str, str]:
    with urllib.request.urlopen(urllib.request.Request(url, method=method)) as response:
        return json.loads(response.read())  # type: ignore[no-any-return]  # the record of a training


def import_ms(python: Path, module: str) -> float:
    """Return what importing `module` takes a fresh interpreter, in milliseconds."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    return (
        float(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout) * 1000
    )
