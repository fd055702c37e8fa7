"""Trainings through the client: start, follow, wait, cancel, artifacts."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deepaas.client import (
    ArtifactNotFound,
    Client,
    InvalidArguments,
    Model,
    ServerUnreachable,
    TrainingFailed,
    TrainingNotFound,
)
from support.server import CALL_S, Gate, Server
from support.trainings import kill

LARGE = "0123456789" * 200_000


@pytest.fixture
def steps(trainer: Server) -> Iterator[Model]:
    """Return a model whose training executes a script from its arguments."""
    with Client(trainer.url) as client:
        yield client["steps"]


def test_done(steps: Model) -> None:
    """wait() returns the record with the result."""
    training = steps.train(steps=[["return", 5]])
    record = training.wait(CALL_S)
    assert record["result"]["output"] == [5]
    assert record == training.record()
    assert training.uuid in [one.uuid for one in steps.trainings()]
    assert steps.training(training.uuid).wait()["status"] == "done"


def test_upload(steps: Model) -> None:
    """Uploads work as for predictions."""
    record = steps.train(data=b"1", more=[b"2", ("3.csv", b"3")]).wait(CALL_S)
    assert record["result"]["output"][1:] == ["1", "2", "3"]


def test_checked(steps: Model) -> None:
    """A training with invalid arguments is not started."""
    before = len(steps.trainings())
    with pytest.raises(InvalidArguments, match="port: Not a valid integer"):
        steps.train(port="x")
    assert len(steps.trainings()) == before


def test_failed(steps: Model) -> None:
    """wait() raises an error with the record."""
    with pytest.raises(TrainingFailed, match="ValueError: no luck") as caught:
        steps.train(steps=[["raise", "no luck"]]).wait(CALL_S)
    assert caught.value.record["status"] == "error"


def test_cancel(steps: Model, gate: Gate) -> None:
    """A cancelled training ends, and wait() raises."""
    training = steps.train(steps=[["wait", gate.port]])
    gate.wait()
    with pytest.raises(TimeoutError, match=r"not done after 0\.2 s"):
        training.wait(0.2)
    assert training.cancel()["status"] == "cancelled"
    with pytest.raises(TrainingFailed, match="cancelled"):
        training.wait()
    assert training.cancel(purge=True)["status"] == "cancelled"
    with pytest.raises(TrainingNotFound):
        training.record()


def test_follow_log(steps: Model, gate: Gate) -> None:
    """Lines arrive as they are printed, and the iterator ends with the training."""
    training = steps.train(steps=[["print", "one ü\u2028"], ["wait", gate.port], ["print", "two"]])
    lines = training.follow_log()
    assert next(lines) == "one ü\u2028"
    gate.wait()
    assert training.record()["status"] == "running"
    gate.open()
    assert list(lines) == ["two"]
    assert training.log() == "one ü\u2028\ntwo\n"
    assert training.log(tail=1) == "two\n"


def test_events(steps: Model) -> None:
    """Every change is an event, and the last one has the record."""
    training = steps.train(steps=[["report", {"step": 1, "total": 2, "loss": 0.5}], ["print", "x"]])
    events = list(training.events())
    assert {event.kind for event in events} == {"state", "progress", "metrics", "log", "end"}
    assert events[-1].content == training.record()
    (metrics,) = training.metrics()
    assert (metrics["step"], metrics["metrics"]) == (1, {"loss": 0.5})


def test_stop_following(steps: Model, gate: Gate) -> None:
    """Leaving the iterator early releases the connection."""
    training = steps.train(steps=[["print", "x"], ["wait", gate.port]])
    for line in training.follow_log():
        assert line == "x"
        break
    assert training.record()["status"] == "running"


def test_artifacts(steps: Model, tmp_path: Path) -> None:
    """Artifacts are listed, read and downloaded."""
    training = steps.train(steps=[["leave", "sub/a ü.txt", "x"], ["leave", "large", LARGE]])
    training.wait(CALL_S)
    assert {file["path"]: file["size"] for file in training.artifacts()} == {
        "sub/a ü.txt": 1,
        "large": len(LARGE),
    }
    assert training.artifact("sub/a ü.txt") == b"x"
    assert training.download("large", tmp_path / "copy").read_text() == LARGE
    with pytest.raises(ArtifactNotFound):
        training.download("none", tmp_path / "none")
    assert list(tmp_path.iterdir()) == [tmp_path / "copy"]


def test_provenance(steps: Model) -> None:
    training = steps.train(steps=[["return", 1]])
    assert training.provenance()["training"]["args"] == {"steps": [["return", 1]]}


def test_reload(start: Callable[..., Server]) -> None:
    """After a reload, predictions use the trained model."""
    server = start(models={"versioned": "models.training.versioned"})
    with Client(server.url) as client:
        model = client["versioned"]
        model.train(version="two").wait(CALL_S)
        assert model.reload() == 1
        assert json.loads(model.predict()["predictions"])["version"] == "two"


def test_survives_a_restart(start: Callable[..., Server], gate: Gate) -> None:
    """follow_log() and wait() continue after the server restarts."""
    options: dict[str, Any] = {"models": {"steps": "models.training.steps"}}
    server = start(**options)
    port = server.url.rpartition(":")[2]
    found: list[Any] = []
    with Client(server.url) as client:
        given = [["print", "one"], ["wait", gate.port], ["print", "two"]]
        training = client["steps"].train(steps=given)
        gate.wait()
        lines = training.follow_log()
        assert next(lines) == "one"
        waiting = threading.Thread(target=lambda: found.append(training.wait(CALL_S)))
        waiting.start()
        kill(server)
        with Client(server.url, retry_timeout_s=0.1) as other, pytest.raises(ServerUnreachable):
            other["steps"].training(training.uuid).wait()
        start("--listen-port", port, **options)
        gate.open()
        assert list(lines) == ["two"]
        waiting.join(CALL_S)
    assert found[0]["status"] == "done"


class CuttingProxy(http.server.BaseHTTPRequestHandler):
    """A proxy that ends each connection after an event or a comment."""

    parts = (
        b'id: 1\nevent: log\ndata: {"line":"one"}\n\n: keep-alive\n\n',
        *(b": keep-alive\n\n",) * 3,
        b"id: 2\nevent: end\ndata: {}\n\n",
    )

    def do_GET(self) -> None:
        last_ids = self.server.last_ids
        last_ids.append(self.headers.get("Last-Event-ID"))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(self.parts[len(last_ids) - 1])

    def log_message(self, *_: Any) -> None:
        pass


def test_silent_training_behind_a_proxy_that_cuts_connections() -> None:
    """Comments that keep a connection alive are no events, but restart the retry timeout."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), CuttingProxy) as proxy:
        proxy.last_ids = []
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        with Client(f"http://127.0.0.1:{proxy.server_port}", retry_timeout_s=0.6) as client:
            events = list(client["steps"].training("x").events())
        proxy.shutdown()
    assert [(event.id, event.kind, event.line) for event in events] == [
        ("1", "log", "one"),
        ("2", "end", None),
    ]
    assert proxy.last_ids == [None, "1", "1", "1", "1"]
