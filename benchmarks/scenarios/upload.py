"""Uploads of 100 kB at 16 connections."""

from benchmarks.load.request import multipart, raw
from benchmarks.load.wrk import load
from benchmarks.scenarios.scenario import Scenario, Target
from benchmarks.servers.running import Running
from benchmarks.servers.table import DEEPAAS_26, MOSEC, OURS, UPLOAD

_BYTES = 100_000
_CONNECTIONS = 16
_WARM_S = 1
_SECONDS = 3


def throughput(running: Running) -> float:
    """Return uploads per second."""
    request = raw(_BYTES) if running.server.takes_raw_uploads else multipart(_BYTES)
    load(running.url, request, connections=_CONNECTIONS, seconds=_WARM_S)
    return load(running.url, request, connections=_CONNECTIONS, seconds=_SECONDS).per_s


SCENARIOS = (
    Scenario(
        "upload",
        "100 kB multipart upload, 16 connections (mosec: raw body)",
        "1/s",
        UPLOAD,
        (OURS, DEEPAAS_26, MOSEC),
        throughput,
        (Target(10, DEEPAAS_26), Target(1, MOSEC)),
        is_more_better=True,
    ),
)
