"""Contract of the training store: the same tests on SQLite and on PostgreSQL."""

import dataclasses
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepaas.trainings.record import TrainingRecord, TrainingState
from deepaas.trainings.store import TrainingStore
from support.machine import limit_s
from support.records import get

FULL = TrainingRecord(
    uuid="f" * 32,
    model="ä/b c",
    created=1_700_000_000.123456,
    arguments={"ä": [1, None, {"b": 1.5}], "big": 2**70, "text": 'quoted "x" \n\t'},
    server="host 12 3.5",
    host="host",
    state=TrainingState.RUNNING,
    pid=2**22,
    pid_started=1_700_000_000.25,
    process_start="b/1700",
    started=1_700_000_001.0,
    finished=1_700_000_002.0,
    output=[{"a": None}, "ü", True, 0.1],
    message="Fehler: ü 🎈",
    traceback="Traceback\n  …",
    exit="SIGKILL",
    progress=0.1,
    eta_s=12.5,
    metrics={"loss": 0.1, "name": "nan"},
    peak_memory_mb=100.1,
    artifacts=[{"path": "a/b", "size": 2**40, "sha256": "0" * 64}],
    model_version="1.0",
    uploads={"0.txt": "0" * 64},
    environment="e" * 64,
)


def one(uuid: str, **values: object) -> TrainingRecord:
    """Return a record with default values."""
    known: dict[str, object] = {"model": "m", "created": 1.0, "arguments": {}}
    return TrainingRecord(uuid=uuid, **(known | values))  # type: ignore[arg-type]


@pytest.fixture
def store(url: str) -> Iterator[TrainingStore]:
    """Return an open, empty store, once with each database."""
    with TrainingStore(url) as store:
        yield store


class TestStore:
    def test_get(self, store: TrainingStore, url: str) -> None:
        """All fields of a record are stored, also for another connection."""
        store.add(FULL)
        assert get(store, FULL.uuid) == FULL
        with TrainingStore(url) as other:
            assert get(other, FULL.uuid) == FULL
        assert store.get("0" * 32) is None

    def test_older_store(self, url: str) -> None:
        """A database without boot ids and leases keeps its records and stores new ones."""
        old = dataclasses.replace(FULL, process_start=None)
        with TrainingStore(url) as store:
            store.add(old)
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE deepaas_store SET version = 1"))
            connection.execute(sa.text("CREATE TABLE heartbeats (uuid VARCHAR(32), count BIGINT)"))
            for column in ("process_start", "lease_until"):
                connection.execute(sa.text(f"ALTER TABLE trainings DROP COLUMN {column}"))
        engine.dispose()
        with TrainingStore(url) as store, TrainingStore(url) as another:
            assert get(store, old.uuid) == old
            assert another.transition(old.uuid, TrainingState.RUNNING, process_start="b/1700")
            assert get(store, old.uuid) == FULL
            assert store.list_expired()[1] == {old.uuid}
        engine = sa.create_engine(url)
        assert not sa.inspect(engine).has_table("heartbeats")
        engine.dispose()

    def test_of_model(self, store: TrainingStore) -> None:
        """A model's records are listed, oldest first."""
        for training in (one("b", created=2.0), one("a", created=3.0), one("c", model="n"), one("d")):
            store.add(training)
        assert [found.uuid for found in store.list_for_model("m")] == ["d", "b", "a"]
        assert store.list_for_model("nobody") == []

    @pytest.mark.parametrize(
        ("limit", "newest"), [(0, ""), (1, "c"), (2, "bc"), (4, "dabc"), (10**18 - 1, "dabc")]
    )
    def test_limit(self, store: TrainingStore, limit: int, newest: str) -> None:
        """With a limit, the newest records are listed, oldest first."""
        for training in (one("b", created=2.0), one("c", created=3.0), one("a"), one("d", created=0.5)):
            store.add(training)
        assert [found.uuid for found in store.list_for_model("m", limit)] == list(newest)

    def test_unfinished(self, store: TrainingStore) -> None:
        """Unfinished trainings of all models are listed, oldest first."""
        for number, state in enumerate(TrainingState):
            store.add(one(state.value, state=state, created=-float(number), model=str(number)))
        assert [found.state for found in store.list_unfinished()] == [
            state for state in reversed(TrainingState) if not state.is_final
        ]

    def test_change(self, store: TrainingStore) -> None:
        """A transition sets state and values of one record, and returns whether it did."""
        store.add(one("a"))
        store.add(one("b"))
        assert store.transition(
            "a", TrainingState.RUNNING, only_from=TrainingState.QUEUED, pid=5, metrics={"a": 1}
        )
        assert get(store, "a") == one("a", state=TrainingState.RUNNING, pid=5, metrics={"a": 1})
        assert get(store, "b") == one("b")
        assert not store.transition("a", TrainingState.STARTING, only_from=TrainingState.QUEUED)
        assert not store.transition("nobody", TrainingState.RUNNING)

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        states=st.lists(
            st.tuples(st.sampled_from(TrainingState), st.none() | st.sampled_from(TrainingState)), max_size=8
        ),
        first=st.sampled_from(TrainingState),
    )
    def test_terminal(
        self,
        store: TrainingStore,
        first: TrainingState,
        states: list[tuple[TrainingState, TrainingState | None]],
    ) -> None:
        """No sequence of transitions leaves a final state, and `only_from` is respected."""
        store.remove("h")
        store.add(one("h", state=first))
        expected = first
        for number, (state, only_from) in enumerate(states):
            allowed = not expected.is_final and only_from in (None, expected)
            assert store.transition("h", state, only_from=only_from, message=str(number)) is allowed
            expected = state if allowed else expected
            found = store.get("h")
            assert found is not None
            assert found.state is expected
            assert (found.message == str(number)) is allowed

    def test_change_from_an_end(self, store: TrainingStore) -> None:
        """A final state cannot be left, even if it is the value of `only_from`."""
        store.add(one("a", state=TrainingState.DONE))
        assert not store.transition("a", TrainingState.RUNNING, only_from=TrainingState.DONE)

    def test_one_wins(self, store: TrainingStore, url: str) -> None:
        """If several servers start a queued training at once, exactly one succeeds."""
        store.add(one("a"))
        stores = [TrainingStore(url) for _ in range(6)]
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(TrainingStore.__enter__, stores))
            took = list(
                threads.map(
                    lambda own: own.transition("a", TrainingState.STARTING, only_from=TrainingState.QUEUED),
                    stores,
                )
            )
            list(threads.map(TrainingStore.__exit__, stores))
        assert sum(took) == 1

    def test_claim(self, store: TrainingStore) -> None:
        """Ownership of a training moves from its current server to another, once."""
        store.add(one("a", server="old"))
        assert not store.claim_ownership("a", "other", "new")
        assert store.claim_ownership("a", "old", "new")
        assert not store.claim_ownership("a", "old", "newer")
        assert get(store, "a") == one("a", server="new")
        assert store.transition("a", TrainingState.DONE)
        assert not store.claim_ownership("a", "new", "newer")

    def test_renewed_leases(self, store: TrainingStore) -> None:
        """A new, renewed or claimed lease has not expired; a finished training has no lease."""
        for uuid in "abcd":
            store.add(one(uuid, server="old"))
        assert store.list_expired()[1] == set()
        for uuid in "abcd":
            store.update(uuid, lease_until=0)
        store.renew_leases([])
        assert store.list_expired()[1] == set("abcd")
        store.renew_leases(["a", "unknown"])
        assert store.claim_ownership("b", "old", "new")
        assert store.transition("c", TrainingState.DONE)
        assert store.list_expired()[1] == {"d"}

    def test_lease_length(self, url: str) -> None:
        """A lease is as long as the store's `lease_s`, by the database's clock."""
        with TrainingStore(url, lease_s=-10) as past, TrainingStore(url, lease_s=10) as future:
            past.add(one("a"))
            now_s, expired = past.list_expired()
            assert (expired, abs(now_s - time.time()) < limit_s(60)) == ({"a"}, True)
            future.renew_leases(["a"])
            assert past.list_expired()[1] == set()

    @pytest.mark.parametrize("state", TrainingState)
    def test_expired(self, store: TrainingStore, state: TrainingState) -> None:
        """An unfinished training with an expired lease becomes lost, or cancelled if that was requested."""
        store.add(one("a", state=state))
        assert not store.expire("a", "silent")
        store.update("a", lease_until=0)
        assert store.expire("a", "silent") is not state.is_final
        found = get(store, "a")
        assert found is not None
        if state.is_final:
            assert found == one("a", state=state)
        elif state is TrainingState.CANCELLING:
            assert (found.state, found.message) == (TrainingState.CANCELLED, None)
        else:
            assert (found.state, found.message) == (TrainingState.LOST, "silent")
            assert found.finished

    def test_note(self, store: TrainingStore) -> None:
        """`update` changes unfinished trainings only."""
        store.add(one("a", state=TrainingState.RUNNING))
        store.add(one("b", state=TrainingState.LOST))
        for uuid in "ab":
            store.update(uuid, progress=0.5, metrics={"loss": 1})
        assert get(store, "a") == one("a", state=TrainingState.RUNNING, progress=0.5, metrics={"loss": 1})
        assert get(store, "b") == one("b", state=TrainingState.LOST)

    def test_remove(self, store: TrainingStore) -> None:
        store.add(one("a"))
        store.add(one("b"))
        store.remove("a")
        store.remove("a")
        assert [found.uuid for found in store.list_for_model("m")] == ["b"]

    def test_environment(self, store: TrainingStore) -> None:
        """A set of packages is stored once under its key; an unknown key gives an empty set."""
        for _ in range(2):
            store.save_environment("k", {"packages": {"ä": "1"}})
        assert store.get_environment("k") == {"packages": {"ä": "1"}}
        assert store.get_environment("other") == {}

    def test_environment_at_once(self, store: TrainingStore, url: str) -> None:
        """Concurrent calls store the same set once."""
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(lambda _: store.save_environment("k", {"a": 1}), range(24)))
        assert store.get_environment("k") == {"a": 1}

    @pytest.mark.parametrize("text", ["nul \0 nul", "surrogate \udcff", "🎈"])
    def test_any_text(self, store: TrainingStore, text: str) -> None:
        """Any text of an exception can be stored."""
        store.add(one("a", state=TrainingState.RUNNING))
        assert store.transition("a", TrainingState.ERROR, message=text, traceback=text, output=[text])
        found = store.get("a")
        assert found is not None
        assert found.state is TrainingState.ERROR
        assert found.message

    @pytest.mark.parametrize("attempt", range(3))
    def test_first_opened_at_once(self, url: str, attempt: int) -> None:
        """Several servers can open an empty database at the same moment."""
        stores = [TrainingStore(url) for _ in range(6)]
        with ThreadPoolExecutor(6) as threads:
            opened = [threads.submit(store.__enter__) for store in stores]
            problems = [error for error in (future.exception() for future in opened) if error]
        for store in stores:
            store.__exit__()
        assert problems == []

    def test_replaced(self, store: TrainingStore) -> None:
        """A second record with the same id is refused, and the first is kept."""
        store.add(one("a"))
        with pytest.raises(Exception, match=r"(?i)unique"):
            store.add(dataclasses.replace(one("a"), model="n"))
        assert get(store, "a") == one("a")
