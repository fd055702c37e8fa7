"""PostgreSQL server for tests."""

import contextlib
import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

import psycopg

from support.server import END_S, START_S, wait_until

USER = "postgres"


def binaries() -> Path | None:
    """Return the folder of the newest installed PostgreSQL's programs, or None."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))  # noqa: PTH207
    return Path(found[-1]) if found else None


class Cluster:
    """A PostgreSQL cluster in a temporary folder, on one port, while the context lasts.

    The folder is not below pytest's folders: PostgreSQL refuses root, and its user cannot enter them.
    """

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="deepaas-postgresql-"))
        self._port = _free_port()
        self._server: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql+psycopg://{USER}@127.0.0.1:{self._port}"
        """Common prefix of the URLs of its databases."""

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            shutil.chown(self._folder, USER, USER)
        options = ["-U", USER, "-A", "trust", "--no-sync"]
        initdb = [self._programs / "initdb", "-D", self._folder / "data", *options]
        subprocess.run(initdb, check=True, capture_output=True, cwd=self._folder, **_identity())
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server:
            self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        options = ["-p", str(self._port), "-h", "127.0.0.1", "-k", self._folder, "-F"]
        command = [self._programs / "postgres", "-D", self._folder / "data", *options]
        log = self._folder / "log"
        with log.open("ab") as output:
            server = subprocess.Popen(command, stdout=output, stderr=output, cwd=self._folder, **_identity())
        self._server = server
        wait_until(lambda: _answers(self._port) or server.poll() is not None, START_S)
        assert server.poll() is None, log.read_text()

    def stop(self) -> None:
        """Stop the server immediately; its connections break."""
        assert self._server is not None
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(END_S)
        self._server = None


def new_database(url: str, name: str) -> str:
    """Create an empty database; return its URL."""
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return f"{url}/{name}"


def _plain(url: str) -> str:
    return url.replace("+psycopg", "") + "/postgres"


def _answers(port: int) -> bool:
    with contextlib.suppress(psycopg.Error):
        psycopg.connect(host="127.0.0.1", port=port, user=USER, dbname="postgres").close()
        return True
    return False


def _identity() -> dict[str, Any]:
    """Return options that run a process as PostgreSQL's user, since PostgreSQL refuses to run as root."""
    return {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
