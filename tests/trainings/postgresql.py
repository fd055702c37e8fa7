"""A PostgreSQL of the tests' own: made, started, stopped and removed."""

import contextlib
import glob
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg

from serving import until

USER = "postgres"


def binaries() -> Path | None:
    """Return where the newest installed PostgreSQL has its programs."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))  # noqa: PTH207
    return Path(found[-1]) if found else None


@contextlib.contextmanager
def cluster(folder: Path, programs: Path) -> Iterator[str]:
    """Run a cluster in `folder`; yield the URL of its first database."""
    place, port = folder / "cluster", _free_port()
    place.mkdir()
    _let_in(place)
    _run(programs / "initdb", "-D", place, "-U", USER, "-A", "trust", "--no-sync", "-E", "UTF8")
    command = [programs / "postgres", "-D", place, "-p", port, "-h", "127.0.0.1", "-k", place, "-F"]
    with (folder / "postgres.log").open("wb") as log:
        server = subprocess.Popen(_as_user(command), stdout=log, stderr=log)
    try:
        until(lambda: _answers(port), 60)
        yield f"postgresql+psycopg://{USER}@127.0.0.1:{port}"
    finally:
        _run(programs / "pg_ctl", "-D", place, "-m", "immediate", "-w", "stop")
        server.wait(30)
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


def _run(*command: object) -> None:
    subprocess.run(_as_user(command), check=True, capture_output=True)


def _as_user(command: object) -> list[str]:
    """Return the command as somebody else's, where root would be refused."""
    plain = [str(word) for word in command]  # type: ignore[attr-defined]
    return ["runuser", "-u", USER, "--", *plain] if os.geteuid() == 0 else plain


def _let_in(place: Path) -> None:
    """Give the folder to the user that PostgreSQL runs as, and let that one through to it."""
    if os.geteuid() == 0:
        shutil.chown(place, USER)
        for folder in place.parents:
            if folder.stat().st_mode & 0o001 == 0:
                folder.chmod(folder.stat().st_mode | 0o001)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
