"""Artifacts of a training: listing, download, retention, purge."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from deepaas import artifacts
from deepaas.trainings.record import TrainingRecord, TrainingState
from deepaas.trainings.retention import RetentionPolicy, SteadyClock
from deepaas.trainings.store import TrainingStore, sqlite_url
from support.server import Gate, Server, run_until_exit, wait_until
from support.trainings import STEPS, begin, ended, path_of, sha256

pytestmark = pytest.mark.slow
CONTENT = "".join(f"{number}," for number in range(5000))


def listed(client: httpx.Client, record: dict[str, Any]) -> dict[str, Any]:
    """Return the list of artifacts, by path."""
    response = client.get(path_of(record, "/artifacts/"))
    assert response.status_code == 200
    return {one["path"]: one for one in response.json()}


def fetch(client: httpx.Client, record: dict[str, Any], name: str, **headers: str) -> httpx.Response:
    """Request an artifact; the path is sent exactly as written."""
    url = httpx.URL(str(client.base_url).rstrip("/") + path_of(record, f"/artifacts/{name}"))
    return client.get(url, headers=headers)


@pytest.mark.every_engine
def test_folder(http: httpx.Client) -> None:
    """`deepaas.artifacts()` and `$DEEPAAS_ARTIFACTS` name the same folder, inside the training's folder."""
    record = ended(http, begin(http, ["folder"]))
    by_call, by_variable = record["result"]["output"][0]
    assert by_call == by_variable
    assert Path(by_call).parent.name == record["uuid"]


def test_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a training, `artifacts()` returns a new, writable folder."""
    monkeypatch.delenv("DEEPAAS_ARTIFACTS", raising=False)
    folder = artifacts()
    (folder / "x").write_text("x")
    (folder / "x").unlink()
    folder.rmdir()


@pytest.mark.every_engine
def test_listing(http: httpx.Client) -> None:
    """Artifacts are listed with size and SHA-256, also in the record."""
    record = begin(
        http, ["leave", "a.txt", CONTENT], ["leave", "sub/ä b.txt", ""], ["leave_by_variable", "c", "x"]
    )
    done = ended(http, record)
    found = listed(http, record)
    assert list(found) == ["a.txt", "c", "sub/ä b.txt"]
    assert found["a.txt"] == {"path": "a.txt", "size": len(CONTENT), "sha256": sha256(CONTENT.encode())}
    assert found["sub/ä b.txt"]["sha256"] == sha256(b"")
    assert done["artifacts"] == list(found.values())


def test_listing_while_running(http: httpx.Client, gate: Gate) -> None:
    """Artifacts of a running training can be listed and downloaded."""
    record = begin(http, ["leave", "a", "x"], ["wait", gate.port])
    gate.wait()
    assert listed(http, record)["a"]["size"] == 1
    assert fetch(http, record, "a").text == "x"
    gate.open()
    ended(http, record)


@pytest.mark.every_engine
@pytest.mark.parametrize("steps", [[["raise", "x"]], [["kill", "SIGKILL"]]])
def test_of_failed(http: httpx.Client, steps: list[list[Any]]) -> None:
    """Artifacts of a failed or killed training are listed."""
    record = begin(http, ["leave", "a", "x"], *steps)
    assert ended(http, record)["state"] == "error"
    assert listed(http, record)["a"]["sha256"] == sha256(b"x")


@pytest.mark.every_engine
@pytest.mark.parametrize(
    ("range_", "status", "expected"),
    [
        (None, 200, CONTENT),
        ("bytes=10-19", 206, CONTENT[10:20]),
        ("bytes=-5", 206, CONTENT[-5:]),
        ("bytes=20-", 206, CONTENT[20:]),
    ],
)
def test_download(http: httpx.Client, range_: str | None, status: int, expected: str) -> None:
    """An artifact can be downloaded in full or in ranges, as an attachment."""
    record = ended(http, begin(http, ["leave", "sub/ä b.txt", CONTENT]))
    response = fetch(http, record, "sub/%C3%A4%20b.txt", **({"Range": range_} if range_ else {}))
    assert (response.status_code, response.text) == (status, expected)
    assert response.headers["Content-Disposition"].startswith("attachment")
    if range_:
        assert response.headers["Content-Range"].endswith(f"/{len(CONTENT)}")


def test_range_beyond(http: httpx.Client) -> None:
    record = ended(http, begin(http, ["leave", "a", "x"]))
    assert fetch(http, record, "a", Range="bytes=99-").status_code == 416


@pytest.mark.parametrize(
    "name",
    [
        "no",
        "%2e%2e/log",
        "..%2flog",
        "%2e%2e%2f%2e%2e%2f%2e%2e%2ftrainings.sqlite",
        "%2fetc%2fpasswd",
        "sub",
        "",
        ".",
        "a%00b",
        "x" * 300,
        "\\..\\log",
    ],
)
def test_traversal(http: httpx.Client, name: str) -> None:
    """No path reaches another file; folders are not found."""
    record = ended(http, begin(http, ["leave", "sub/a", "x"], ["print", "secret"]))
    response = fetch(http, record, name)
    assert response.status_code == 404 or response.json() == list(listed(http, record).values())
    assert "secret" not in response.text


@pytest.mark.every_engine
@pytest.mark.parametrize("target", ["/etc/passwd", "/", ".."])
def test_symlinks(http: httpx.Client, target: str) -> None:
    """A symbolic link that leads outside is neither listed nor followed."""
    record = ended(http, begin(http, ["link", "out", target], ["print", "secret"], ["leave", "a", "x"]))
    assert list(listed(http, record)) == ["a"]
    for name in ("out", "out/passwd", "out/etc/passwd", "out/log"):
        assert fetch(http, record, name).status_code == 404


@pytest.mark.every_engine
def test_odd_name(http: httpx.Client) -> None:
    """A file name that is not valid text breaks neither the record nor the listing."""
    record = ended(http, begin(http, ["leave_odd_name"], ["leave", "a", "x"]))
    assert record["state"] == "done"
    assert "a" in listed(http, record)
    assert http.get("/v2/models/steps/train/").status_code == 200


@pytest.mark.every_engine
def test_uploads(http: httpx.Client, trainer: Server, gate: Gate) -> None:
    """Uploads can be read while the training runs, and are deleted when it has finished."""
    files = [("data", ("a.csv", b"1,2")), ("more", ("b.csv", b"3,4")), ("more", ("c.csv", b"5"))]
    record = http.post("/v2/models/steps/train/", files=files, data={"port": gate.port}).json()
    gate.wait()
    folder = trainer.state_dir / "steps" / record["uuid"]
    assert len(list(folder.glob("*.csv"))) == 3
    gate.open()
    done = ended(http, record)
    filename, *texts = done["result"]["output"]
    assert texts == ["1,2", "3,4", "5"]
    assert Path(filename).suffix == ".csv"
    assert list(folder.glob("*.csv")) == []
    assert listed(http, record) == {}


@pytest.mark.every_engine
def test_purge(http: httpx.Client, trainer: Server, gate: Gate) -> None:
    """`?purge=true` deletes record and folder of a training, and cancels it if it is running."""
    done = ended(http, begin(http, ["leave", "a", "x"]))
    running = begin(http, ["wait", gate.port])
    gate.wait()
    for record, state in ((done, "done"), (running, "cancelled")):
        response = http.delete(path_of(record, "?purge=true"))
        assert (response.status_code, response.json()["state"]) == (200, state)
        assert http.get(path_of(record)).status_code == 404
        assert http.delete(path_of(record, "?purge=true")).status_code == 404
        assert not (trainer.state_dir / "steps" / record["uuid"]).exists()


@pytest.mark.every_engine
def test_keep_count(start: Callable[..., Server]) -> None:
    """--keep-trainings 2 keeps the two trainings that finished last, with their folders."""
    server = start("--keep-trainings", "2", models=STEPS)
    with server.client() as client:
        records = [ended(client, begin(client, ["return", number])) for number in range(4)]
        kept = [record["uuid"] for record in records[2:]]
        wait_until(lambda: [one["uuid"] for one in client.get("/v2/models/steps/train/").json()] == kept)
        wait_until(lambda: {path.name for path in (server.state_dir / "steps").iterdir()} == set(kept))


def test_keep_age(start: Callable[..., Server], tmp_path: Path) -> None:
    """--keep-trainings 1d deletes trainings that finished earlier, without waiting for another training."""
    old, new = "a" * 32, "b" * 32
    (tmp_path / "state" / "steps" / old).mkdir(parents=True)
    with TrainingStore(sqlite_url(tmp_path / "state")) as store:
        for uuid, age_s in ((old, 90_000), (new, 3600)):
            end = time.time() - age_s
            state: dict[str, Any] = {"state": TrainingState.DONE, "finished": end, "arguments": {}}
            store.add(TrainingRecord(uuid=uuid, model="steps", created=end, **state))
    server = start("--keep-trainings", "1d", models=STEPS)
    with server.client() as client:
        wait_until(lambda: [one["uuid"] for one in client.get("/v2/models/steps/train/").json()] == [new])
        assert not (server.state_dir / "steps" / old).exists()


def test_clock_that_jumps_ahead() -> None:
    """The last training of a model is kept, even if a clock step makes all of them old."""
    state: dict[str, Any] = {"model": "steps", "state": TrainingState.DONE, "arguments": {}}
    trainings = [TrainingRecord(uuid=str(end), created=end, finished=float(end), **state) for end in range(3)]
    kept = RetentionPolicy.parse("30d")
    assert [one.uuid for one in kept.select_expired(trainings, now=10**9)] == ["1", "0"]


@pytest.mark.parametrize("step_s", [-3600, 0, 400 * 86_400])
def test_keep_age_when_the_clock_is_set(step_s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting the clock while the server runs deletes only trainings that are really old."""
    clock, now_s = SteadyClock(), time.time()
    monkeypatch.setattr(time, "time", lambda: now_s + step_s)
    state: dict[str, Any] = {"state": TrainingState.DONE, "arguments": {}}
    ends_s = {"new": now_s, "day": now_s - 86_400, "old": now_s - 31 * 86_400 - 3600}
    trainings = [
        TrainingRecord(uuid=uuid, model="m", created=1.0, finished=end_s, **state)
        for uuid, end_s in ends_s.items()
    ]
    assert [one.uuid for one in RetentionPolicy.parse("30d").select_expired(trainings, clock.now())] == [
        "old"
    ]


@pytest.mark.parametrize("value", ["many", "-1", "1y", "3 days", "1.5d"])
def test_keep_nonsense(tmp_path: Path, value: str) -> None:
    """An invalid --keep-trainings exits with code 2 and an error that shows a valid value."""
    ended_: subprocess.CompletedProcess[str] = run_until_exit(
        tmp_path, f"--keep-trainings={value}", models=STEPS
    )
    assert ended_.returncode == 2, ended_.stdout
    assert "Traceback" not in ended_.stdout
    assert "keep-trainings" in ended_.stdout
    assert "30d" in ended_.stdout
