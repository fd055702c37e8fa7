"""Training store with SQLite: stored records, concurrency, damaged and older files."""

import dataclasses
import sqlite3
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from deepaas.errors import StoreError
from deepaas.model.json_encoding import dumps_in_steps
from deepaas.trainings.database import SCHEMA_VERSION
from deepaas.trainings.record import TrainingRecord, TrainingState
from deepaas.trainings.store import TrainingStore, sqlite_url
from support.records import get

ENDS = [state for state in TrainingState if state.is_final]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TrainingStore]:
    with TrainingStore(sqlite_url(tmp_path)) as store:
        yield store


def training(
    uuid: str = "1", model: str = "m", created: float = 1.0, state: TrainingState = TrainingState.QUEUED
) -> TrainingRecord:
    return TrainingRecord(uuid=uuid, model=model, created=created, arguments={"ä": [1, None]}, state=state)


def test_kept(store: TrainingStore, tmp_path: Path) -> None:
    """A stored record is unchanged, also when another store reads the same file."""
    kept = dataclasses.replace(training(), output={"a": [1.5]}, message="x\n", pid=5, started=2.5)
    store.add(kept)
    assert get(store, "1") == kept
    with TrainingStore(sqlite_url(tmp_path)) as other:
        assert get(other, "1") == kept


def test_unread(store: TrainingStore, tmp_path: Path) -> None:
    """Responses contain the stored JSON of arguments; NaN from older versions is parsed first."""
    store.add(training())
    kept = store.get("1")
    assert kept is not None
    assert dumps_in_steps(kept.to_v2_json()["args"]) == b'{"\xc3\xa4":[1,null]}'
    connection = sqlite3.connect(tmp_path / "trainings.sqlite")
    with connection:
        connection.execute("UPDATE trainings SET arguments = '[NaN]', output = 'null'")
    older = store.get("1")
    assert older is not None
    assert older.output is None
    assert str(older.arguments) == "[nan]"


def test_unknown(store: TrainingStore) -> None:
    assert get(store, "1") is None
    assert store.list_for_model("m") == []
    assert not store.transition("1", TrainingState.RUNNING)


def test_lists(store: TrainingStore) -> None:
    """Records are listed by model, or if unfinished, oldest first."""
    store.add(training("b", created=2))
    store.add(training("a", created=1, state=TrainingState.RUNNING))
    store.add(training("c", created=0, state=TrainingState.DONE))
    store.add(training("d", model="other"))
    assert [one.uuid for one in store.list_for_model("m")] == ["c", "a", "b"]
    assert [one.uuid for one in store.list_unfinished()] == ["a", "d", "b"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("state", TrainingState)
def test_ends_are_ends(store: TrainingStore, end: TrainingState, state: TrainingState) -> None:
    """A finished training never changes."""
    store.add(training(state=end))
    assert not store.transition("1", state, message="changed")
    assert get(store, "1") == training(state=end)


@pytest.mark.parametrize("state", [state for state in TrainingState if not state.is_final])
def test_only_from(store: TrainingStore, state: TrainingState) -> None:
    """A transition can depend on the current state."""
    store.add(training(state=TrainingState.STARTING))
    assert store.transition("1", TrainingState.RUNNING, only_from=state, pid=7) is (
        state is TrainingState.STARTING
    )
    found = get(store, "1")
    assert found is not None
    assert (found.state, found.pid) == (
        (TrainingState.RUNNING, 7) if state is TrainingState.STARTING else (TrainingState.STARTING, None)
    )


def test_one_wins(tmp_path: Path) -> None:
    """If several stores finish a training at once, exactly one succeeds."""
    url = sqlite_url(tmp_path)
    with TrainingStore(url) as store:
        store.add(training(state=TrainingState.RUNNING))

    def end(number: int) -> bool:
        with TrainingStore(url) as own:
            return own.transition("1", ENDS[number % len(ENDS)], only_from=TrainingState.RUNNING)

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(end, range(16))) == 1


def test_connections_are_not_hoarded(store: TrainingStore) -> None:
    """Concurrent calls do not leave more files open."""
    before = psutil.Process().num_fds()
    asking = threading.Barrier(8)

    def ask(_: int) -> None:
        asking.wait()
        store.list_for_model("m")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, range(80)))
    assert psutil.Process().num_fds() == before


def test_written_to_the_disk(tmp_path: Path) -> None:
    """Every connection commits with synchronous=FULL, so that a commit is on disk."""
    full = 2
    modes = []

    def look(connection: sqlite3.Connection, _: object) -> None:
        modes.append(connection.execute("PRAGMA synchronous").fetchone()[0])

    sa.event.listen(sa.pool.Pool, "checkin", look)
    try:
        with TrainingStore(sqlite_url(tmp_path)) as store:
            store.add(training())
    finally:
        sa.event.remove(sa.pool.Pool, "checkin", look)
    assert modes
    assert set(modes) == {full}


def test_damaged(tmp_path: Path) -> None:
    """A file that is not a database is refused by name and not changed."""
    path = tmp_path / "trainings.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    before = path.read_bytes()
    with (
        pytest.raises(StoreError, match=r"trainings\.sqlite.*--database-url"),
        TrainingStore(sqlite_url(tmp_path)),
    ):
        pass
    assert path.read_bytes() == before


def test_newer(store: TrainingStore, tmp_path: Path) -> None:
    """A database with a newer schema is refused."""
    connection = sqlite3.connect(tmp_path / "trainings.sqlite")
    with connection:
        connection.execute("UPDATE deepaas_store SET version = ?", (SCHEMA_VERSION + 1,))
    connection.close()
    with pytest.raises(StoreError, match="newer"), TrainingStore(sqlite_url(tmp_path)):
        pass


def test_older(store: TrainingStore, tmp_path: Path) -> None:
    """A database with an older schema is upgraded, so that older servers refuse it, and becomes private."""
    store.add(training())
    path = tmp_path / "trainings.sqlite"
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE deepaas_store SET version = 1")
        connection.execute("ALTER TABLE trainings DROP COLUMN process_start")
    path.chmod(0o644)
    with TrainingStore(sqlite_url(tmp_path)) as newer:
        assert get(newer, "1") == training()
    assert connection.execute("SELECT version FROM deepaas_store").fetchone() == (SCHEMA_VERSION,)
    connection.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all.sqlite", "nonsense", "oracle://localhost/x"])
def test_unusable_url(url: str) -> None:
    """A database that cannot be opened raises `StoreError`, whatever the reason."""
    with pytest.raises(StoreError), TrainingStore(url):
        pass


def test_password_is_not_told() -> None:
    """An error names the database without its password."""
    url = "sqlite://user:secret@host/db"
    with pytest.raises(StoreError) as raised, TrainingStore(url):
        pass
    assert "secret" not in raised.value.message


def test_closed_twice(store: TrainingStore) -> None:
    """Closing is idempotent."""
    store.__exit__()
    store.__exit__()
