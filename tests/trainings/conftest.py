"""Shared servers and databases for tests of trainings."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support import postgresql
from support.server import Server, serving
from support.trainings import GRACE_S, STEPS


@pytest.fixture(scope="module")
def trainer(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server of the scripted model `steps` that runs two trainings at a time."""
    flags = ("--max-trainings", "2", "--cancel-grace", str(GRACE_S))
    with serving(tmp_path_factory.mktemp("trainer"), *flags, models=STEPS) as server:
        yield server


@pytest.fixture(scope="module")
def http(trainer: Server) -> Iterator[httpx.Client]:
    with trainer.client() as client:
        yield client


@pytest.fixture(scope="session")
def postgresql_programs() -> Path:
    """Return the folder of PostgreSQL's programs, which `make setup` installs on Debian."""
    programs = postgresql.binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: run make setup")
    return programs


@pytest.fixture(scope="session")
def cluster(postgresql_programs: Path) -> Iterator[str]:
    """Return the URL of a running PostgreSQL server."""
    with postgresql.Cluster(postgresql_programs) as cluster:
        yield cluster.url


@pytest.fixture
def database(cluster: str) -> str:
    """Return the URL of an empty database."""
    return postgresql.new_database(cluster, f"t{uuid.uuid4().hex}")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database, once with SQLite and once with PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/trainings.sqlite"
    return str(request.getfixturevalue("database"))
