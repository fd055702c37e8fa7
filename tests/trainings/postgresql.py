"""A PostgreSQL of the tests' own: made, started, stopped and removed."""

import contextlib
import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from serving import END_S, START_S, until

USER = "postgres"


def binaries() -> Path | None:
    """Return where the newest installed PostgreSQL has its programs."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))  # noqa: PTH207
    return Path(found[-1]) if found else None


@contextlib.contextmanager
def cluster(programs: Path) -> Iterator[str]:
    """Run a cluster in a folder of its own; yield the URL that its databases are below.

    The folder is not below pytest's, which are closed to the user that PostgreSQL insists on.
    """
    place, port = Path(tempfile.mkdtemp(prefix="deepaas-postgresql-")), _free_port()
    if os.geteuid() == 0:
        shutil.chown(place, USER, USER)
    log = place / "log"
    try:
        initdb = [programs / "initdb", "-D", place / "data", "-U", USER, "-A", "trust", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=place, **_identity())
        options = ["-p", str(port), "-h", "127.0.0.1", "-k", place, "-F"]
        command = [programs / "postgres", "-D", place / "data", *options]
        with (
            log.open("wb") as output,
            subprocess.Popen(command, stdout=output, stderr=output, cwd=place, **_identity()) as server,
        ):
            try:
                until(lambda: _answers(port) or server.poll() is not None, START_S)
                assert server.poll() is None, log.read_text()
                yield f"postgresql+psycopg://{USER}@127.0.0.1:{port}"
            finally:
                server.send_signal(signal.SIGQUIT)
                server.wait(END_S)
    finally:
        shutil.rmtree(place)


def new_database(url: str, name: str) -> str:
    """Make an empty database; return its URL."""
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
    """Return the options that run a process as somebody else, where root would be refused."""
    return {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
