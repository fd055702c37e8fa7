"""A server of trainings that tests of the client share."""

from collections.abc import Iterator

import pytest

from serving import Server, serving
from support.machine import timeout_s

STEPS = {"steps": "models_training.steps"}


@pytest.fixture(scope="package")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server of the model whose training does what it is told."""
    flags = ("--max-trainings", "2", "--cancel-grace", str(timeout_s(1)))
    with serving(tmp_path_factory.mktemp("trainer"), *flags, models=STEPS) as server:
        yield server
