"""The asyncio client: same results, and concurrent calls."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from deepaas.client import (
    AsyncClient,
    AsyncModel,
    AsyncTraining,
    Client,
    InvalidArguments,
    Model,
    ServerUnreachable,
    Training,
    TrainingFailed,
)
from support.server import CALL_S, Gate, Server

SERVED = ["a_class", "echoing"]


def test_predictions(server: Server, tmp_path: Path) -> None:
    """Predictions with and without files, many at a time, and errors."""
    (tmp_path / "a.txt").write_text("x")

    async def ask() -> None:
        async with AsyncClient(server.url) as client:
            model = client["echoing"]
            given = [model.predict(number=number, data=tmp_path / "a.txt") for number in range(50)]
            for number, found in enumerate(await asyncio.gather(*given)):
                assert json.loads(found["predictions"]) == {"number": number, "file": "a.txt"}
            with pytest.raises(InvalidArguments, match="Must be greater than or equal to 0"):
                await model.predict(number=-1)
            path = await model.predict_to_file(tmp_path / "b", data=b"y", accept="application/octet-stream")
            assert path.read_bytes() == b"y"
            assert "number" in await model.argument_schemas()
            assert (await client["a_class"].metadata())["author"] == "Ada"
            assert await client["a_class"].reload() == 1
            assert len(await client.models()) > 1
        async with AsyncClient("http://127.0.0.1:1") as nobody:
            with pytest.raises(ServerUnreachable):
                await nobody.models()

    asyncio.run(ask())


def test_shown() -> None:
    """repr() names the model and the training."""
    with Client("http://127.0.0.1:1") as client:
        digits = client["digits"]
        assert [repr(digits), repr(digits.training("12ab"))] == [
            "<Model digits>",
            "<Training 12ab of digits>",
        ]
    later = AsyncClient("http://127.0.0.1:1")["digits"]
    assert [repr(later), repr(later.training("12ab"))] == [
        "<AsyncModel digits>",
        "<AsyncTraining 12ab of digits>",
    ]


def test_trainings(trainer: Server, tmp_path: Path, gate: Gate) -> None:
    """Follow a training's log, wait for it, and read its artifacts."""

    async def ask() -> None:
        async with AsyncClient(trainer.url) as client:
            steps = client["steps"]
            training = await steps.train(steps=[["print", "x"], ["leave", "a", "y"], ["report", {"step": 1}]])
            assert [line async for line in training.follow_log()] == ["x"]
            assert [event.kind async for event in training.events()][-1] == "end"
            assert (await training.wait(CALL_S)) == await training.record()
            assert [file["path"] for file in await training.artifacts()] == ["a"]
            assert await training.artifact("a") == b"y"
            assert (await training.download("a", tmp_path / "a")).read_text() == "y"
            assert (await training.log(tail=1), len(await training.metrics())) == ("x\n", 1)
            assert (await training.provenance())["training"]["args"]
            assert training.uuid in [one.uuid for one in await steps.trainings()]
            await cancelled(await steps.train(steps=[["wait", gate.port]]))

    async def cancelled(training: Any) -> None:
        async for event in training.events():
            if event.content.get("state") == "running":
                assert (await training.cancel())["status"] == "cancelled"
                break
        with pytest.raises(TrainingFailed, match="cancelled"):
            await training.wait()

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("blocking", "awaiting"), [(Client, AsyncClient), (Model, AsyncModel), (Training, AsyncTraining)]
)
def test_same_names(blocking: type, awaiting: type) -> None:
    """Both clients have the same methods."""
    names, same = ({name for name in dir(kind) if not name.startswith("_")} for kind in (blocking, awaiting))
    assert names == same
