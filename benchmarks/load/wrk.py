"""Load from wrk: each connection sends its next request after the previous response."""

import json
import resource
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.load.request import Request

# wrk measures in microseconds.
_SCRIPT = """
wrk.method = "POST"
local file = io.open("{body}", "rb")
wrk.body = file:read("*all")
file:close()
{media_type}
function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local form = '{{"answered": %d, "duration": %d, "failed": %d, "p50": %.1f, "p99": %.1f}}'
  io.write("\\n", string.format(form, summary.requests, summary.duration, failed,
           latency:percentile(50), latency:percentile(99)), "\\n")
end
"""


class Load(NamedTuple):
    """The result of a load; `spent_s` is the processor time of wrk."""

    answered: int
    per_s: float
    p50_ms: float
    p99_ms: float
    spent_s: float


def load(url: str, request: Request, *, connections: int, seconds: float) -> Load:
    """Send requests for `seconds`; raise RuntimeError if one fails."""
    before_s = _children_s()
    with tempfile.TemporaryDirectory() as folder:
        script = _script(Path(folder), request)
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds:.0f}",
            "--timeout",
            "20s",
            "-s",
            str(script),
        ]
        done = subprocess.run([*command, url + request.query], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"wrk failed: {done.stderr or done.stdout}")
    found = json.loads(done.stdout.splitlines()[-1])
    if found["failed"]:
        raise RuntimeError(f"{found['failed']} of {found['answered']} requests failed")
    return Load(
        answered=found["answered"],
        per_s=1e6 * found["answered"] / found["duration"],
        p50_ms=found["p50"] / 1000,
        p99_ms=found["p99"] / 1000,
        spent_s=_children_s() - before_s,
    )


def _children_s() -> float:
    """Return the processor time of all finished child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _script(folder: Path, request: Request) -> Path:
    body, script = folder / "body", folder / "script.lua"
    body.write_bytes(request.body)
    media_type = f'wrk.headers["Content-Type"] = "{request.media_type}"' if request.media_type else ""
    script.write_text(_SCRIPT.format(body=body, media_type=media_type))
    return script
