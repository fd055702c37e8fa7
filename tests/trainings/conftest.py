"""Servers and databases that tests of trainings share."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import postgresql
import pytest
from following import GRACE_S, STEPS

from serving import Server, serving


@pytest.fixture(scope="module")
def trainer(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server of the model that does what it is told, two trainings at a time."""
    flags = ("--max-trainings", "2", "--cancel-grace", str(GRACE_S))
    with serving(tmp_path_factory.mktemp("trainer"), *flags, models=STEPS) as server:
        yield server


@pytest.fixture(scope="module")
def http(trainer: Server) -> Iterator[httpx.Client]:
    """Return a client of that server."""
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
    """Return the URL of a running PostgreSQL."""
    with postgresql.Cluster(postgresql_programs) as cluster:
        yield cluster.url


@pytest.fixture
def database(cluster: str) -> str:
    """Return the URL of an empty database."""
    return postgresql.new_database(cluster, f"t{uuid.uuid4().hex}")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty store, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/trainings.sqlite"
    return str(request.getfixturevalue("database"))
