"""Database of training records: SQLite, or any database that SQLAlchemy supports.

The server and the training processes write to it. Methods block, and raise `StoreUnavailable` while the
database is unreachable, locked or full.
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
    TimeoutError,  # noqa: A004 - SQLAlchemy's: no free connection in the pool
)
from sqlalchemy.schema import CreateColumn

from deepaas.errors import StoreError, StoreUnavailable
from deepaas.model import json_encoding
from deepaas.private_files import open_file, restrict_to_owner
from deepaas.trainings.record import TrainingRecord, TrainingState

SCHEMA_VERSION = 3
DEFAULT_LEASE_S = 120.0
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
"""Limits that report a dead connection soon; by default, libpq may wait for hours:
https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-KEEPALIVES"""
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
    sa.Column("lease_until", sa.Double, info={"since": 3}),
    sa.Index("trainings_by_model", "model", "created"),
    sa.Index("trainings_by_state", "state"),
)
_environments = sa.Table(
    "environments",
    _metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("content", sa.JSON, nullable=False),
)
_version = sa.Table("deepaas_store", _metadata, sa.Column("version", sa.Integer, nullable=False))

_UNAVAILABLE_ERRORS = (OperationalError, InterfaceError, TimeoutError)
_FINAL_STATES = [state.value for state in TrainingState if state.is_final]
_LARGE_COLUMNS = ("arguments", "output")
"""Input and result of a training: responses contain their JSON text without parsing it."""
_RECORD_COLUMNS = [column for column in _trainings.columns if column.name != "lease_until"]
_ALL_COLUMNS = [
    sa.cast(column, sa.Text).label(column.name) if column.name in _LARGE_COLUMNS else column
    for column in _RECORD_COLUMNS
]
_NOW_S = sa.extract("epoch", sa.func.now())
"""The database's clock, in seconds since the epoch."""
_IS_EXPIRED = sa.func.coalesce(_trainings.c.lease_until, 0) < _NOW_S


class TrainingStore:
    """Training records in a database.

    A context manager: entering connects to the database and creates missing tables.

    A training on a database that several machines share has a lease: it is lost if nothing renews the lease
    for `lease_s` seconds.
    """

    def __init__(self, url: str, lease_s: float = DEFAULT_LEASE_S) -> None:
        self.url = url
        self.lease_s = lease_s
        self._engine: sa.Engine | None = None

    @property
    def is_file(self) -> bool:
        """Whether the database is a SQLite file, used by servers of one host, and not a database server."""
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
                f"The database {_redact_password(self.url)} needs the package '{error.name}'. Install it, or "
                "use another database with --database-url."
            ) from error
        except (SQLAlchemyError, StoreUnavailable) as error:
            self.__exit__()
            cause = error.__cause__ if isinstance(error, StoreUnavailable) else error
            reason = str(getattr(cause, "orig", None) or cause)
            raise StoreError(
                f"The database {_redact_password(self.url)} cannot be used: {reason}. It was not changed. "
                "Repair it, move it away, or use another with --database-url.",
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
        """Insert a new record."""
        with self._begin() as connection:
            connection.execute(
                _trainings.insert().values(_to_row(training) | {"lease_until": _NOW_S + self.lease_s})
            )

    def get(self, uuid: str) -> TrainingRecord | None:
        """Return a record, or None."""
        return next(iter(self._select(_trainings.c.uuid == uuid)), None)

    def list_uuids(self) -> set[str]:
        """Return the ids of all trainings."""
        with self._begin() as connection:
            return set(connection.scalars(sa.select(_trainings.c.uuid)))

    def list_for_model(self, model: str, limit: int | None = None) -> list[TrainingRecord]:
        """Return the records of a model, or its `limit` newest ones, oldest first."""
        return self._select(_trainings.c.model == model, limit=limit)

    def list_unfinished(self) -> list[TrainingRecord]:
        """Return the records of unfinished trainings, oldest first, without arguments and output."""
        small = [column for column in _RECORD_COLUMNS if column.name not in _LARGE_COLUMNS]
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
        """Set the state and other values of a training; return whether the record was changed.

        A finished training never changes; with `only_from`, nor does one in another state.
        """
        allowed = [_trainings.c.state == only_from.value] if only_from else []
        return self._change(uuid, {"state": state.value, **values}, *allowed)

    def expire(self, uuid: str, message: str) -> bool:
        """Mark a training lost, or cancelled if that was requested, unless its lease is valid.

        Return whether the record was changed.
        """
        is_cancelling = _trainings.c.state == TrainingState.CANCELLING.value
        end = sa.case((is_cancelling, TrainingState.CANCELLED.value), else_=TrainingState.LOST.value)
        values = {"state": end, "message": sa.case((~is_cancelling, message)), "finished": _NOW_S}
        return self._change(uuid, values, _IS_EXPIRED)

    def list_models(self) -> list[str]:
        """Return the names of all models that have trainings."""
        with self._begin() as connection:
            return list(connection.scalars(sa.select(_trainings.c.model).distinct()))

    def claim_ownership(self, uuid: str, server: str, new_server: str) -> bool:
        """Change a training's owner to `new_server`, with a new lease; return False if another was faster."""
        values = {"server": new_server, "lease_until": _NOW_S + self.lease_s}
        return self._change(uuid, values, _trainings.c.server == server)

    def update(self, uuid: str, **values: Any) -> None:
        """Set `values` of a training, unless it has finished."""
        self._change(uuid, values)

    def remove(self, uuid: str) -> None:
        """Delete a record."""
        with self._begin() as connection:
            connection.execute(_trainings.delete().where(_trainings.c.uuid == uuid))

    def renew_leases(self, uuids: Iterable[str]) -> None:
        """Let the leases of trainings end `lease_s` seconds from now, by the database's clock."""
        statement = sa.update(_trainings).where(_trainings.c.uuid.in_(list(uuids)))
        with self._begin() as connection:
            connection.execute(statement.values(lease_until=_NOW_S + self.lease_s))

    def list_expired(self) -> tuple[float, set[str]]:
        """Return the database's time (seconds), and the ids of unfinished trainings with an expired lease."""
        query = sa.select(_trainings.c.uuid).where(_trainings.c.state.not_in(_FINAL_STATES), _IS_EXPIRED)
        with self._begin() as connection:
            return float(connection.execute(sa.select(_NOW_S)).scalar_one()), set(connection.scalars(query))

    def save_environment(self, key: str, content: Mapping[str, Any]) -> None:
        """Store a set of packages, unless its key exists."""
        with contextlib.suppress(IntegrityError), self._begin() as connection:
            known = sa.select(_environments.c.key).where(_environments.c.key == key)
            if connection.scalar(known) is None:
                connection.execute(_environments.insert().values(key=key, content=dict(content)))

    def get_environment(self, key: str) -> dict[str, Any]:
        """Return a set of packages; empty if the key is unknown."""
        with self._begin() as connection:
            found = connection.scalar(sa.select(_environments.c.content).where(_environments.c.key == key))
        return dict(found or {})

    def _change(self, uuid: str, values: Mapping[str, Any], *conditions: sa.ColumnElement[bool]) -> bool:
        """Set values of a training; return whether it was changed. All state transitions use this UPDATE."""
        is_unfinished = _trainings.c.state.not_in(_FINAL_STATES)
        statement = sa.update(_trainings).where(_trainings.c.uuid == uuid, is_unfinished, *conditions)
        with self._begin() as connection:
            result = connection.execute(statement.values(**_strip_invalid_text(values)))
            return bool(result.rowcount == 1)

    def _select(
        self,
        condition: sa.ColumnElement[bool],
        columns: Iterable[sa.ColumnElement[Any]] = _ALL_COLUMNS,
        limit: int | None = None,
    ) -> list[TrainingRecord]:
        newest_first = _trainings.c.created.desc(), _trainings.c.uuid.desc()
        query = sa.select(*columns).where(condition).order_by(*newest_first).limit(limit)
        with self._begin() as connection:
            return [_from_row(row._asdict()) for row in connection.execute(query)][::-1]

    @contextlib.contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        """Begin a transaction. Raise `StoreUnavailable`; clients read its message, so it names no host."""
        assert self._engine is not None, "the store is not open"
        try:
            with self._engine.begin() as connection:
                yield connection
        except _UNAVAILABLE_ERRORS as error:
            raise StoreUnavailable("Training records are temporarily unavailable.") from error

    def _create_tables_with_retry(self) -> None:
        """Create the tables; retry, since another server may be creating them at the same time."""
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
                connection.execute(sa.text("DROP TABLE IF EXISTS heartbeats"))  # replaced by `lease_until`
                connection.execute(_version.update().values(version=SCHEMA_VERSION))

    def _open_all_connections(self) -> None:
        """Open all connections to a SQLite file, so that the number of open files never grows later."""
        assert self._engine is not None
        with contextlib.ExitStack() as stack:
            for _ in range(_POOL_SIZE if self.is_file else 0):
                stack.enter_context(self._engine.connect())

    def _create_sqlite_file(self) -> None:
        """Create the SQLite file, private to its owner. SQLite copies the mode to its other files.

        Errors are ignored: connecting to the database reports them.
        """
        parsed = sa.make_url(self.url)
        is_file = parsed.get_backend_name() == "sqlite" and not parsed.host
        if is_file and parsed.database not in (None, "", ":memory:"):
            with contextlib.suppress(OSError):
                open_file(Path(parsed.database), "ab").close()
            for suffix in ("", "-wal", "-shm"):
                restrict_to_owner(Path(parsed.database + suffix))

    def _check_schema_version(self) -> None:
        """Refuse a database with a newer schema before changing anything in it."""
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
                f"The database {_redact_password(self.url)} was created by a newer version of deepaas "
                f"(schema {found}; this version supports {SCHEMA_VERSION}). It was not changed. "
                "Upgrade deepaas, or use another database with --database-url."
            )


def _add_missing_columns(connection: sa.Connection) -> None:
    """Add the columns that the schema of an older version lacks."""
    known = {column["name"] for column in sa.inspect(connection).get_columns(_trainings.name)}
    missing = [column for column in _trainings.columns if column.name not in known]
    if all("since" in column.info for column in missing):  # otherwise the table is damaged
        for column in missing:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(sa.text(f"ALTER TABLE {_trainings.name} ADD COLUMN {definition}"))


def sqlite_url(folder: Path) -> str:
    """Return the URL of the SQLite database in a folder."""
    return f"sqlite:///{folder / 'trainings.sqlite'}"


def _redact_password(url: str) -> str:
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return f"***@{url.rpartition('@')[2]}" if "@" in url else url


def _write_json(value: Any) -> str:
    """Serialize in steps, since arguments may be large: other threads can run in between."""
    return json_encoding.dumps_in_steps(value).decode()


def _read_json(text: str) -> Any:
    try:
        return json_encoding.loads(text)
    except ValueError:
        return json.loads(text)  # older versions could write NaN


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
    # SQLite keeps the files of a closed connection open while another connection exists.
    fixed = {"poolclass": sa.QueuePool, "pool_size": _POOL_SIZE, "max_overflow": 0}
    engine = sa.create_engine(url, **options, **fixed)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    """Let readers run beside a writer, let writers wait for each other, and make commits survive a power cut.

    Durable commits cost less than half a millisecond each on a solid-state disk.
    """
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_S * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _to_row(training: TrainingRecord) -> dict[str, Any]:
    values = {column.name: getattr(training, column.name) for column in _RECORD_COLUMNS}
    values["state"] = training.state.value
    return _strip_invalid_text(values)  # type: ignore[no-any-return]  # a dictionary stays one


def _strip_invalid_text(value: Any) -> Any:
    """Replace lone surrogates and NUL in all strings, since not every database accepts them."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {_strip_invalid_text(key): _strip_invalid_text(item) for key, item in value.items()}
    return [_strip_invalid_text(item) for item in value] if isinstance(value, list) else value


def _to_unread_json(text: str | None) -> Any:
    if text is None or text == "null":
        return None
    may_be_invalid = "NaN" in text or "Infinity" in text  # older versions could write these
    return _read_json(text) if may_be_invalid else json_encoding.RawJson(text)


def _from_row(row: dict[str, Any]) -> TrainingRecord:
    for name in _LARGE_COLUMNS:
        row[name] = _to_unread_json(row.get(name))
    return TrainingRecord(**row | {"state": TrainingState(row["state"])})
