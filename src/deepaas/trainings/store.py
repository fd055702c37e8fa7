"""Where records of trainings live: SQLite, or any database that SQLAlchemy speaks to.

The server and the trainings' own processes write to it. Its methods block, and raise `StoreUnavailable` while
the database is away, locked or full.
"""

import contextlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.exc import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
    TimeoutError,  # noqa: A004 - SQLAlchemy's: no connection became free
)
from sqlalchemy.schema import CreateColumn

from deepaas.errors import StoreError, StoreUnavailable
from deepaas.model import json_encoding
from deepaas.private_files import open_file, restrict_to_owner
from deepaas.trainings.record import TrainingRecord, TrainingState

SCHEMA_VERSION = 2
_BUSY_TIMEOUT_S = 30
_MAX_TRIES = 5
_POOL_SIZE = 5
_RETRY_INTERVAL_S = 0.1
_POSTGRESQL_LIMITS = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",  # milliseconds
}
"""So that a connection into nowhere is an error soon; libpq waits for hours by itself."""
_metadata = sa.MetaData()

_trainings = sa.Table(
    "trainings",
    _metadata,
    sa.Column("uuid", sa.String(32), primary_key=True),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("arguments", sa.JSON, nullable=False),
    sa.Column("server", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("pid", sa.Integer),
    sa.Column("pid_started", sa.Double),
    sa.Column("process_start", sa.Text, info={"since": 2}),
    sa.Column("started", sa.Double),
    sa.Column("finished", sa.Double),
    sa.Column("output", sa.JSON),
    sa.Column("message", sa.Text),
    sa.Column("traceback", sa.Text),
    sa.Column("exit", sa.Text),
    sa.Column("progress", sa.Double),
    sa.Column("eta_s", sa.Double),
    sa.Column("metrics", sa.JSON),
    sa.Column("peak_memory_mb", sa.Double),
    sa.Column("artifacts", sa.JSON),
    sa.Column("model_version", sa.Text),
    sa.Column("uploads", sa.JSON),
    sa.Column("environment", sa.String(64)),
    sa.Index("trainings_by_model", "model", "created"),
    sa.Index("trainings_by_state", "state"),
)
_environments = sa.Table(
    "environments",
    _metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("content", sa.JSON, nullable=False),
)
# How often somebody has said that a training is looked after; only databases that machines share need it.
_heartbeats = sa.Table(
    "heartbeats",
    _metadata,
    sa.Column("uuid", sa.String(32), primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
)
_version = sa.Table("deepaas_store", _metadata, sa.Column("version", sa.Integer, nullable=False))

_UNAVAILABLE_ERRORS = (OperationalError, InterfaceError, TimeoutError)
_FINAL_STATES = [state.value for state in TrainingState if state.is_final]
_LARGE_COLUMNS = ("arguments", "output")
"""What a training was given and what it returned; both are only sent on, so nobody need read their JSON."""
_ALL_COLUMNS = [
    sa.cast(column, sa.Text).label(column.name) if column.name in _LARGE_COLUMNS else column
    for column in _trainings.columns
]


class TrainingStore:
    """The records of trainings.

    Use it as a context manager: entering opens it, and makes its tables when they are missing.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine: sa.Engine | None = None

    @property
    def is_file(self) -> bool:
        """Say whether the store is a file, which servers on one host share, rather than a database server."""
        return self.url.startswith("sqlite")

    def __enter__(self) -> Self:
        try:
            self._create_sqlite_file()
            self._check_schema_version()
            self._engine = _create_sql_engine(self.url)
            self._create_tables_with_retry()
            self._open_all_connections()
        except ImportError as error:
            raise StoreError(
                f"The store {_redact_password(self.url)} needs the package '{error.name}': install it, or "
                "name another store with --database-url."
            ) from error
        except (SQLAlchemyError, StoreUnavailable) as error:
            self.__exit__()
            cause = error.__cause__ if isinstance(error, StoreUnavailable) else error
            reason = str(getattr(cause, "orig", None) or cause)
            raise StoreError(
                f"The store {_redact_password(self.url)} cannot be used: {reason}. It was left as it is. "
                "Mend it, move it away, or name another with --database-url.",
                is_unreachable=isinstance(cause, _UNAVAILABLE_ERRORS),
            ) from error
        except StoreError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._engine:
            self._engine.dispose()
            self._engine = None

    def close(self) -> None:
        """Close all connections."""
        self.__exit__()

    def add(self, training: TrainingRecord) -> None:
        """Keep a new record."""
        with self._begin() as connection:
            connection.execute(_trainings.insert().values(_to_row(training)))
            connection.execute(_heartbeats.insert().values(uuid=training.uuid, count=0))

    def get(self, uuid: str) -> TrainingRecord | None:
        """Return a record, if there is one."""
        return next(iter(self._select(_trainings.c.uuid == uuid)), None)

    def list_uuids(self) -> set[str]:
        """Return the ids of all trainings."""
        with self._begin() as connection:
            return set(connection.scalars(sa.select(_trainings.c.uuid)))

    def list_for_model(self, model: str) -> list[TrainingRecord]:
        """Return the records of a model, oldest first."""
        return self._select(_trainings.c.model == model)

    def list_unfinished(self) -> list[TrainingRecord]:
        """Return the records that have not come to an end, oldest first, without arguments and output."""
        small = [column for column in _trainings.columns if column.name not in _LARGE_COLUMNS]
        return self._select(_trainings.c.state.not_in(_FINAL_STATES), small)

    def count_by_state(self, model: str) -> dict[TrainingState, int]:
        """Return the number of a model's trainings in each state."""
        query = sa.select(_trainings.c.state, sa.func.count()).where(_trainings.c.model == model)
        with self._begin() as connection:
            found = {
                TrainingState(state): count
                for state, count in connection.execute(query.group_by(_trainings.c.state))
            }
        return {state: found.get(state, 0) for state in TrainingState}

    def transition(
        self, uuid: str, state: TrainingState, *, only_from: TrainingState | None = None, **values: Any
    ) -> bool:
        """Put a training into `state` and set `values`; say whether that was done.

        Nothing is done to a training that has come to an end, or that is not in the state `only_from`.
        This is the one place where that is decided, whoever asks.
        """
        current = _trainings.c.state
        allowed = [current.not_in(_FINAL_STATES), *([current == only_from.value] if only_from else [])]
        statement = sa.update(_trainings).where(_trainings.c.uuid == uuid, *allowed)
        with self._begin() as connection:
            result = connection.execute(statement.values(state=state.value, **_strip_invalid_text(values)))
            return bool(result.rowcount == 1)

    def list_models(self) -> list[str]:
        """Return the names of all models that have trainings."""
        with self._begin() as connection:
            return list(connection.scalars(sa.select(_trainings.c.model).distinct()))

    def claim_ownership(self, uuid: str, server: str, new_server: str) -> bool:
        """Let `new_server` answer for a training of `server`; say whether nobody else was faster."""
        mine = sa.update(_trainings).where(_trainings.c.uuid == uuid, _trainings.c.server == server)
        beat = sa.update(_heartbeats).where(_heartbeats.c.uuid == uuid)
        with self._begin() as connection:
            is_claimed = connection.execute(mine.values(server=new_server)).rowcount == 1
            if is_claimed:
                # Until the new server's first heartbeat, it is not as silent as the old one was.
                connection.execute(beat.values(count=_heartbeats.c.count + 1))
        return bool(is_claimed)

    def update(self, uuid: str, **values: Any) -> None:
        """Set `values` of a training that has not come to an end."""
        statement = sa.update(_trainings).where(
            _trainings.c.uuid == uuid, _trainings.c.state.not_in(_FINAL_STATES)
        )
        with self._begin() as connection:
            connection.execute(statement.values(**_strip_invalid_text(values)))

    def remove(self, uuid: str) -> None:
        """Forget a training."""
        with self._begin() as connection:
            connection.execute(_trainings.delete().where(_trainings.c.uuid == uuid))
            connection.execute(_heartbeats.delete().where(_heartbeats.c.uuid == uuid))

    def record_heartbeats(self, uuids: Iterable[str]) -> None:
        """Say that trainings are looked after."""
        statement = sa.update(_heartbeats).where(_heartbeats.c.uuid.in_(list(uuids)))
        with self._begin() as connection:
            connection.execute(statement.values(count=_heartbeats.c.count + 1))

    def read_heartbeats(self, uuids: Iterable[str]) -> dict[str, int]:
        """Return, for each of some trainings, a number that changes with every `beat`."""
        query = sa.select(_heartbeats).where(_heartbeats.c.uuid.in_(list(uuids)))
        with self._begin() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def save_environment(self, key: str, content: Mapping[str, Any]) -> None:
        """Keep a set of packages, once."""
        with contextlib.suppress(IntegrityError), self._begin() as connection:
            known = sa.select(_environments.c.key).where(_environments.c.key == key)
            if connection.scalar(known) is None:
                connection.execute(_environments.insert().values(key=key, content=dict(content)))

    def get_environment(self, key: str) -> dict[str, Any]:
        """Return a set of packages; an empty one when it is not known."""
        with self._begin() as connection:
            found = connection.scalar(sa.select(_environments.c.content).where(_environments.c.key == key))
        return dict(found or {})

    def _select(
        self, condition: sa.ColumnElement[bool], columns: Iterable[sa.ColumnElement[Any]] = _ALL_COLUMNS
    ) -> list[TrainingRecord]:
        query = sa.select(*columns).where(condition).order_by(_trainings.c.created, _trainings.c.uuid)
        with self._begin() as connection:
            found = connection.execute(query)
            names = tuple(found.keys())
            return [_from_row(dict(zip(names, row, strict=True))) for row in found]

    @contextlib.contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        """Begin a transaction. Raise `StoreUnavailable`, whose message names neither database nor host."""
        assert self._engine is not None, "the store is not open"
        try:
            with self._engine.begin() as connection:
                yield connection
        except _UNAVAILABLE_ERRORS as error:
            raise StoreUnavailable("The records of trainings cannot be read or written now.") from error

    def _create_tables_with_retry(self) -> None:
        """Make the tables; another server that opens the same empty store may be faster, or in the way."""
        for _ in range(_MAX_TRIES):
            try:
                return self._create_tables()
            except (StoreUnavailable, ProgrammingError, IntegrityError):
                time.sleep(_RETRY_INTERVAL_S)
        return self._create_tables()

    def _create_tables(self) -> None:
        with self._begin() as connection:
            _metadata.create_all(connection)
            _add_missing_columns(connection)
            found = connection.scalar(sa.select(_version.c.version))
            connection.execute(sa.select(_trainings).limit(1))
            if found is None:
                connection.execute(_version.insert().values(version=SCHEMA_VERSION))
            elif found < SCHEMA_VERSION:
                connection.execute(_version.update().values(version=SCHEMA_VERSION))

    def _open_all_connections(self) -> None:
        """Open all connections to a file, so that a server never has more open than when it started."""
        assert self._engine is not None
        with contextlib.ExitStack() as stack:
            for _ in range(_POOL_SIZE if self.is_file else 0):
                stack.enter_context(self._engine.connect())

    def _create_sqlite_file(self) -> None:
        """Make the file of SQLite, whose other files get its mode; a path that cannot be used fails later."""
        parsed = sa.make_url(self.url)
        is_file = parsed.get_backend_name() == "sqlite" and not parsed.host
        if is_file and parsed.database not in (None, "", ":memory:"):
            with contextlib.suppress(OSError):
                open_file(Path(parsed.database), "ab").close()
            for suffix in ("", "-wal", "-shm"):
                restrict_to_owner(Path(parsed.database + suffix))

    def _check_schema_version(self) -> None:
        """Look at a store that is there, before anything in it is touched."""
        engine = sa.create_engine(self.url)
        try:
            with engine.connect() as connection:
                if not sa.inspect(connection).has_table(_version.name):
                    return
                found = connection.scalar(sa.select(_version.c.version))
        finally:
            engine.dispose()
        if found is not None and found > SCHEMA_VERSION:
            raise StoreError(
                f"The store {_redact_password(self.url)} was made by a newer version of this program (its "
                f"format is {found}, this program writes {SCHEMA_VERSION}). It was left as it is. "
                "Upgrade deepaas, or name another store with --database-url."
            )


def _add_missing_columns(connection: sa.Connection) -> None:
    """Add the columns that are new since an older format of the store."""
    known = {column["name"] for column in sa.inspect(connection).get_columns(_trainings.name)}
    missing = [column for column in _trainings.columns if column.name not in known]
    if all("since" in column.info for column in missing):  # otherwise the store is damaged
        for column in missing:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(sa.text(f"ALTER TABLE {_trainings.name} ADD COLUMN {definition}"))


def sqlite_url(folder: Path) -> str:
    """Return the URL of the SQLite store in a folder."""
    return f"sqlite:///{folder / 'trainings.sqlite'}"


def _redact_password(url: str) -> str:
    """Return the URL without its password."""
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return f"***@{url.rpartition('@')[2]}" if "@" in url else url


def _write_json(value: Any) -> str:
    """Return JSON. Arguments of a training may be large."""
    return json_encoding.dumps_in_steps(value).decode()


def _read_json(text: str) -> Any:
    try:
        return json_encoding.loads(text)
    except ValueError:
        return json.loads(text)  # an older version may have written NaN


def _create_sql_engine(url: str) -> sa.Engine:
    options: dict[str, Any] = {
        "pool_pre_ping": True,
        "json_serializer": _write_json,
        "json_deserializer": _read_json,
    }
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        if parsed.get_driver_name().startswith("psycopg"):
            options["connect_args"] = {k: v for k, v in _POSTGRESQL_LIMITS.items() if k not in parsed.query}
        return sa.create_engine(url, **options)
    # SQLite keeps the files of a closed connection open as long as there is another one.
    fixed = {"poolclass": sa.QueuePool, "pool_size": _POOL_SIZE, "max_overflow": 0}
    engine = sa.create_engine(url, **options, **fixed)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    """Let readers go on while somebody writes, writers wait for each other, and no power cut undo a change.

    The last costs less than half a millisecond a change on a solid-state disk.
    """
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_S * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _to_row(training: TrainingRecord) -> dict[str, Any]:
    columns = {column.name for column in _trainings.columns}
    values = {name: getattr(training, name) for name in columns} | {"state": training.state.value}
    return _strip_invalid_text(values)  # type: ignore[no-any-return]  # a dictionary stays one


def _strip_invalid_text(value: Any) -> Any:
    """Return the value with texts that any database takes: without lone surrogates and NUL."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {_strip_invalid_text(key): _strip_invalid_text(item) for key, item in value.items()}
    return [_strip_invalid_text(item) for item in value] if isinstance(value, list) else value


def _to_unread_json(text: str | None) -> Any:
    if text is None or text == "null":
        return None
    may_be_invalid = "NaN" in text or "Infinity" in text  # an older version may have written these
    return _read_json(text) if may_be_invalid else json_encoding.RawJson(text)


def _from_row(row: dict[str, Any]) -> TrainingRecord:
    """Make a record of a row past its constructor, which takes most of a long list's time."""
    row["state"] = TrainingState(row["state"])
    for name in _LARGE_COLUMNS:
        row[name] = _to_unread_json(row.get(name))
    training = object.__new__(TrainingRecord)
    training.__dict__.update(row)
    return training
