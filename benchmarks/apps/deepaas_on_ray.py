"""Starts a Ray cluster of one node and the server on it: `PORT MODEL STATE`."""

import os
import secrets
import socket
import subprocess
import sys
from pathlib import Path

_NODE = "127.0.0.2"
_OBJECT_STORE_BYTES = 100_000_000

if __name__ == "__main__":
    port, model, state = sys.argv[1:]
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(16))
    with socket.create_server((_NODE, 0)) as free:
        head = free.getsockname()[1]
    start = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--node-ip-address", _NODE]
    start += ["--port", str(head), "--num-cpus", "2", "--include-dashboard", "false", "--disable-usage-stats"]
    start += ["--object-store-memory", str(_OBJECT_STORE_BYTES), "--temp-dir", str(Path.cwd() / "ray")]
    subprocess.run(start, check=True)
    serve = ["-m", "deepaas.cmd.run", "--engine", "ray", "--ray-address", f"{_NODE}:{head}"]
    serve += ["--listen-port", port, "--model-name", model, "--state-dir", state]
    os.execv(sys.executable, [sys.executable, *serve])
