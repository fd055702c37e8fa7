"""Starts and stops Ray clusters on this machine, with one loopback address for each node."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psutil

from support.machine import limit_s

_MARK = "DEEPAAS_TEST_CLUSTER"
_START_S = limit_s(60)
_STORE_BYTES = 78_643_200  # the minimum that Ray accepts
_SHARED = (
    *("--disable-usage-stats", "--object-store-memory", str(_STORE_BYTES), "--num-cpus", "1"),
    *("--include-log-monitor", "false"),  # forwards logs to drivers, which these tests do not read
)
NODES = ("127.0.0.2", "127.0.0.3", "127.0.0.4")  # Ray treats 127.0.0.1 as an alias of another address


class Cluster:
    """A cluster with token authentication whose head is the first of `NODES`."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="r-", dir="/tmp"))  # Ray's sockets need short paths
        self._mark = secrets.token_hex(16)
        self._before: dict[str, str | None] = {}
        with socket.create_server((NODES[0], 0)) as free:
            self._port = free.getsockname()[1]
        self.address = f"{NODES[0]}:{self._port}"
        self.flags = (
            *("--engine", "ray", "--ray-address", self.address),
            *("--worker-cpus", "0.01", "--train-cpus", "0.01"),
        )

    def __enter__(self) -> Self:
        ours = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self._mark, "RAY_USAGE_STATS_ENABLED": "0"}
        self._before = {name: os.environ.get(name) for name in ours}
        os.environ.update(ours)
        try:
            head = ("--head", "--port", str(self._port), "--include-dashboard", "false")
            self._ray_start(NODES[0], *head, "--temp-dir", str(self._folder))
            for node in NODES[1:]:
                self.add(node)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop all nodes. Idempotent."""
        while self._before:
            name, value = self._before.popitem()
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
        left = list(self._processes())
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, _START_S)
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, node: str) -> None:
        self._ray_start(node, "--address", self.address)

    def kill(self, node: str) -> None:
        """Kill a node's raylet; the rest of the node dies with it."""
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                line = process.cmdline()
                if line and line[0].endswith("/raylet") and f"--node_ip_address={node}" in line:
                    process.kill()

    def _ray_start(self, node: str, *options: str) -> None:
        subprocess.run(
            [Path(sys.executable).with_name("ray"), "start", "--node-ip-address", node, *options, *_SHARED],
            env=os.environ | {_MARK: self._mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=_START_S,
            check=True,
        )

    def _processes(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(_MARK) == self._mark:
                    yield process


def process_of(uuid: str) -> psutil.Process:
    """Return a training's process, on any node, found by its command line."""
    return next(one for one in psutil.process_iter(["cmdline"]) if uuid in (one.info["cmdline"] or ()))


def runs(process: psutil.Process) -> bool:
    """Return whether a process runs; zombies do not count."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
