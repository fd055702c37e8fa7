"""What the author's code does in the server: fields that validate, and get_metadata()."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from serving import Gate, Server, predict, predicted

MODELS = {"own": "models_faults.fields_of_its_own", "told": "models_faults.told"}


def test_slow_field(start: Callable[..., Server], gate: Gate) -> None:
    """While a field of one model waits for a disk, health checks and other models are answered."""
    server = start(models=MODELS)
    with server.client() as client, ThreadPoolExecutor(1) as threads:
        slow = threads.submit(predict, client, "own", json={"port": gate.port})
        gate.wait()
        with server.client() as other:
            assert other.get("/health/live").status_code == 200
            assert predicted(other, "told", json={"number": 2})["number"] == 2
        gate.open()
        assert slow.result().status_code == 200


@pytest.mark.parametrize(("end", "says"), [("exit", "SystemExit: I leave"), ("stop", "StopIteration")])
def test_field_that_ends_everything(start: Callable[..., Server], end: str, says: str) -> None:
    """A validator that raises what would end a program fails its own call only."""
    server = start(models=MODELS)
    with server.client() as client:
        response = predict(client, "own", json={"end": end})
        assert response.status_code == 500
        assert response.json() == {"message": says}
        assert predicted(client, "own", json={"end": "fine"}) == {"end": "fine"}


def test_metadata_that_ends_everything(start: Callable[..., Server]) -> None:
    """A get_metadata() that would end the program costs the model its metadata, and nobody anything else."""
    server = start(models={"leaving": "models_faults.describes_itself"})
    (server.cwd / "order").write_text("exit")
    with server.client() as client:
        (described,) = client.get("/v2/models/").json()["models"]
        assert "SystemExit: I leave" in described["description"]
        assert predict(client, "leaving").status_code == 200
