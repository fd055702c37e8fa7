"""The training API: start, list, read and cancel."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import psutil
import pytest

from support.server import Gate, Server, predict, wait_until

SERVED = ["only_train", "processes", "trainable", "unpicklable"]

DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}")
DURATION = re.compile(r"\d+:\d\d:\d\d\.\d{6}")
TRAIN = "/v2/models/trainable/train/"
Record = dict[str, Any]


def begin(client: httpx.Client, **request: Any) -> Record:
    response = client.post(TRAIN, **request)
    assert response.status_code == 200, response.text
    return dict(response.json())


def look(client: httpx.Client, record: Record) -> Record:
    """Return the current record."""
    response = client.get(TRAIN + record["uuid"])
    assert response.status_code == 200
    return dict(response.json())


def ended(client: httpx.Client, record: Record) -> Record:
    """Wait until the status is no longer `running`, as clients of 2.6 do; return the record."""

    def found() -> Record | None:
        now = look(client, record)
        return None if now["status"] == "running" else now

    return dict(wait_until(found))


def output(client: httpx.Client, what: str) -> Any:
    """Return the output of a successful training."""
    record = ended(client, begin(client, json={"what": what}))
    assert record["status"] == "done", record
    return record["result"]["output"]


@pytest.mark.every_engine
def test_record(client: httpx.Client) -> None:
    """The response has the record at once; the result follows when the training is done."""
    record = begin(client, json={"what": "none", "epochs": 3, "public-name": "x"})
    assert re.fullmatch(r"[0-9a-f]{32}", record["uuid"])
    assert DATE.fullmatch(record["date"])
    assert record["args"] == {"what": "none", "rate": 0.5, "epochs": 3, "secret-name": "x"}
    assert record["status"] == "running"
    assert "result" not in record
    done = ended(client, record)
    assert done["status"] == "done"
    assert {name: done[name] for name in ("uuid", "date", "args")} == {
        name: record[name] for name in ("uuid", "date", "args")
    }
    assert set(done["result"]) == {"output", "finish_date", "duration"}
    assert done["result"]["output"] is None
    assert DATE.fullmatch(done["result"]["finish_date"])
    assert DURATION.fullmatch(done["result"]["duration"])


@pytest.mark.every_engine
@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("numpy", {"loss": 0.5, "weights": [0, 1, 2]}),
        ("path", "/a"),
        ("nan", {"loss": "nan"}),
    ],
)
def test_output(client: httpx.Client, what: str, expected: object) -> None:
    """Output can be anything that JSON can represent, including NumPy values."""
    assert output(client, what) == expected


@pytest.mark.every_engine
def test_what_json_cannot_express(client: httpx.Client, server: Server) -> None:
    """Sets and other objects become a list or their repr, with a warning, and do not break the list."""
    assert output(client, "set")["labels"] in (["a"], "{'a'}")
    assert output(client, "lock")["lock"].startswith("<object object")
    logs = "".join(path.read_text() for path in server.state_dir.rglob("log"))
    assert re.search(r"WARNING .*lock.*repr", logs + server.log)
    response = client.get(TRAIN)
    assert response.status_code == 200
    assert {"done"} <= {record["status"] for record in response.json()}


@pytest.mark.every_engine
@pytest.mark.parametrize(
    ("what", "message"),
    [("raise", "ZeroDivisionError: division by zero"), ("exit", "SystemExit: 3"), ("killed", "SIGKILL")],
)
def test_error(client: httpx.Client, what: str, message: str) -> None:
    """The message of a failed or killed training has the reason."""
    record = ended(client, begin(client, json={"what": what}))
    assert record["status"] == "error"
    assert message in record["message"]
    assert "result" not in record


@pytest.mark.every_engine
def test_error_is_logged(start: Callable[..., Server]) -> None:
    server = start(models={"trainable": "models.trainable"})
    with server.client() as client:
        record = ended(client, begin(client, json={"what": "raise"}))
    server.output.wait_for(
        rf"ERROR .*{record['uuid']} of trainable: error: ZeroDivisionError: division by zero"
    )


def test_list(client: httpx.Client) -> None:
    """The list has all trainings of this model and of no other."""
    record = ended(client, begin(client))
    records = client.get(TRAIN).json()
    assert record in records
    assert client.get("/v2/models/only_train/train/").json() == []
    assert client.get(f"/v2/models/only_train/train/{record['uuid']}").status_code == 404


def test_limited_list(client: httpx.Client) -> None:
    """`?limit=` lists the newest trainings, oldest first."""
    records = [ended(client, begin(client)) for _ in range(3)]
    for limit, newest in (("2", records[1:]), ("1", records[2:]), ("0", [])):
        response = client.get(TRAIN, params={"limit": limit})
        assert [record["uuid"] for record in response.json()] == [record["uuid"] for record in newest]


@pytest.mark.parametrize("limit", ["-1", "some", "", "1.5", "9" * 19, "9" * 5000])
def test_limit_that_is_no_number(client: httpx.Client, limit: str) -> None:
    response = client.get(TRAIN, params={"limit": limit})
    assert response.status_code == 400
    assert "limit" in response.json()["message"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_final_slash(client: httpx.Client, slash: str) -> None:
    record = begin(client)
    assert client.get(f"{TRAIN}{record['uuid']}{slash}").json()["uuid"] == record["uuid"]


@pytest.mark.parametrize(
    ("sent", "problems"),
    [
        ({"epochs": "many"}, {"epochs": ["Not a valid integer."]}),
        ({"epochs": -1}, {"epochs": ["Invalid value."]}),
        (
            {"rate": "fast", "public-name": 1},
            {"rate": ["Not a valid number."], "public-name": ["Not a valid string."]},
        ),
    ],
)
def test_validation(client: httpx.Client, sent: Record, problems: Record) -> None:
    """Arguments of a training are validated as for a prediction."""
    response = client.post(TRAIN, json=sent)
    assert (response.status_code, response.json()) == (422, problems)


@pytest.mark.every_engine
def test_upload(client: httpx.Client) -> None:
    """A training can read an uploaded file, which is shown as name, type and original filename."""
    record = begin(client, files={"data": ("my data.csv", b"1,2", "text/csv")}, params={"epochs": 1})
    assert record["args"]["data"] == ["data", "text/csv", "my data.csv"]
    done = ended(client, record)
    assert (done["status"], done["result"]["output"]) == ("done", "1,2")


@pytest.mark.every_engine
def test_unpicklable_arguments(client: httpx.Client) -> None:
    """Arguments that cannot be pickled are created in the training's process."""
    response = client.post("/v2/models/unpicklable/train/", json={"lock": "x", "function": 5})
    assert response.status_code == 200
    path = f"/v2/models/unpicklable/train/{response.json()['uuid']}"
    record = wait_until(lambda: [one for one in [client.get(path).json()] if one["status"] != "running"])[0]
    assert record["result"]["output"]["locked"] is True
    assert record["result"]["output"]["number"] == 5


def test_cancel(client: httpx.Client, gate: Gate, server: Server) -> None:
    """Cancelling kills the training's process and returns the record, which is kept."""
    record = begin(client, json={"port": gate.port})
    gate.wait()
    processes = {process.pid for process in server.family()}
    assert look(client, record)["status"] == "running"
    response = client.delete(TRAIN + record["uuid"])
    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert response.json()["uuid"] == record["uuid"]
    assert look(client, record)["status"] == "cancelled"
    assert record["uuid"] in {one["uuid"] for one in client.get(TRAIN).json()}
    gone = processes - {process.pid for process in server.family()}
    assert len(gone) == 1
    assert not any(psutil.pid_exists(pid) for pid in gone)


@pytest.mark.every_engine
def test_cancel_a_deaf_one(start: Callable[..., Server], gate: Gate) -> None:
    """A training that ignores SIGTERM is killed after the grace period."""
    server = start("--cancel-grace", "0.1", models={"trainable": "models.trainable"})
    with server.client() as client:
        record = begin(client, json={"what": "deaf", "port": gate.port})
        gate.wait()
        assert client.delete(TRAIN + record["uuid"]).json()["status"] == "cancelled"


@pytest.mark.every_engine
def test_cancel_a_queued_one(client: httpx.Client, gate: Gate) -> None:
    """A queued training has the status `running`, for clients of 2.6, and can be cancelled."""
    first = begin(client, json={"port": gate.port})
    gate.wait()
    second = begin(client, json={"what": "pid"})
    assert look(client, second)["status"] == "running"
    assert look(client, second)["state"] == "queued"
    assert predict(client, "trainable").json()["predictions"] == "predicted"
    assert client.delete(TRAIN + second["uuid"]).json()["status"] == "cancelled"
    gate.open()
    assert ended(client, first)["status"] == "done"
    assert look(client, second)["status"] == "cancelled"


def test_cancel_one_that_is_done(client: httpx.Client) -> None:
    """Cancelling a finished training does not change it."""
    done = ended(client, begin(client))
    response = client.delete(TRAIN + done["uuid"])
    assert (response.status_code, response.json()) == (200, done)


@pytest.mark.every_engine
def test_predictions_go_on(client: httpx.Client, gate: Gate) -> None:
    """A training does not block predictions of its model."""
    record = begin(client, json={"port": gate.port})
    gate.wait()
    assert predict(client, "trainable").status_code == 200
    gate.open()
    assert ended(client, record)["status"] == "done"


@pytest.mark.every_engine
def test_records_outlive_the_server(start: Callable[..., Server], tmp_path: Any) -> None:
    """A restarted server with the same state folder knows earlier trainings."""
    models = {"trainable": "models.trainable"}
    server = start(models=models)
    with server.client() as client:
        done = ended(client, begin(client))
    server.stop()
    again = start(models=models)
    with again.client() as client:
        assert look(client, done) == done
