"""A server that has answered predictions and run trainings, for what is asked of its figures."""

from collections.abc import Iterator

import httpx
import pytest

from serving import Server, serving

MODELS = {"trainable": "models.trainable", "streams": "models.streams"}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server as the files in deploy/ start it, more or less."""
    flags = ("--allowed-hosts", "models.example.org")
    with serving(tmp_path_factory.mktemp("deployed"), *flags, models=MODELS) as server:
        yield server


@pytest.fixture(scope="module")
def client(deployed: Server) -> Iterator[httpx.Client]:
    """Return a client of that server."""
    with deployed.client() as client:
        yield client
