"""Opens the database of trainings: creates or upgrades its tables, or refuses it."""

import contextlib
import json
import time
from pathlib import Path
from typing import Any

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

from deepaas.errors import StoreError
from deepaas.model import json_encoding
from deepaas.private_files import open_file, restrict_to_owner

SCHEMA_VERSION = 3
UNAVAILABLE_ERRORS = (OperationalError, InterfaceError, TimeoutError)
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

TRAININGS = sa.Table(
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
ENVIRONMENTS = sa.Table(
    "environments",
    _metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("content", sa.JSON, nullable=False),
)
_version = sa.Table("deepaas_store", _metadata, sa.Column("version", sa.Integer, nullable=False))


def open_database(url: str) -> sa.Engine:
    """Connect to a database, and create or upgrade its tables. Raise `StoreError`."""
    try:
        _create_sqlite_file(url)
        _check_schema_version(url)
        with contextlib.ExitStack() as on_error:
            engine = _create_engine(url)
            on_error.callback(engine.dispose)
            _create_tables_with_retry(engine)
            _open_all_connections(engine)
            on_error.pop_all()
            return engine
    except ImportError as error:
        raise StoreError(
            f"The database {_redact_password(url)} needs the package '{error.name}'. Install it, or use "
            "another database with --database-url."
        ) from error
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error)
        raise StoreError(
            f"The database {_redact_password(url)} cannot be used: {reason}. It was not changed. Repair it, "
            "move it away, or use another with --database-url.",
            is_unreachable=isinstance(error, UNAVAILABLE_ERRORS),
        ) from error


def _create_sqlite_file(url: str) -> None:
    """Create the SQLite file, private to its owner. SQLite copies the mode to its other files.

    Errors are ignored: connecting to the database reports them.
    """
    parsed = sa.make_url(url)
    is_file = parsed.get_backend_name() == "sqlite" and not parsed.host
    if is_file and parsed.database not in (None, "", ":memory:"):
        with contextlib.suppress(OSError):
            open_file(Path(parsed.database), "ab").close()
        for suffix in ("", "-wal", "-shm"):
            restrict_to_owner(Path(parsed.database + suffix))


def _check_schema_version(url: str) -> None:
    """Refuse a database with a newer schema before changing anything in it."""
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table(_version.name):
                return
            found = connection.scalar(sa.select(_version.c.version))
    finally:
        engine.dispose()
    if found is not None and found > SCHEMA_VERSION:
        raise StoreError(
            f"The database {_redact_password(url)} was created by a newer version of deepaas "
            f"(schema {found}; this version supports {SCHEMA_VERSION}). It was not changed. "
            "Upgrade deepaas, or use another database with --database-url."
        )


def _create_engine(url: str) -> sa.Engine:
    options: dict[str, Any] = {
        "pool_pre_ping": True,
        "json_serializer": _write_json,
        "json_deserializer": read_json,
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


def _create_tables_with_retry(engine: sa.Engine) -> None:
    """Create the tables; retry, since another server may be creating them at the same time."""
    for _ in range(_MAX_TRIES):
        try:
            return _create_tables(engine)
        except (*UNAVAILABLE_ERRORS, ProgrammingError, IntegrityError):
            time.sleep(_RETRY_INTERVAL_S)
    return _create_tables(engine)


def _create_tables(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        _metadata.create_all(connection)
        _add_missing_columns(connection)
        found = connection.scalar(sa.select(_version.c.version))
        connection.execute(sa.select(TRAININGS).limit(1))
        if found is None:
            connection.execute(_version.insert().values(version=SCHEMA_VERSION))
        elif found < SCHEMA_VERSION:
            connection.execute(sa.text("DROP TABLE IF EXISTS heartbeats"))  # replaced by `lease_until`
            connection.execute(_version.update().values(version=SCHEMA_VERSION))


def _add_missing_columns(connection: sa.Connection) -> None:
    """Add the columns that the schema of an older version lacks."""
    known = {column["name"] for column in sa.inspect(connection).get_columns(TRAININGS.name)}
    missing = [column for column in TRAININGS.columns if column.name not in known]
    if all("since" in column.info for column in missing):  # otherwise the table is damaged
        for column in missing:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(sa.text(f"ALTER TABLE {TRAININGS.name} ADD COLUMN {definition}"))


def _open_all_connections(engine: sa.Engine) -> None:
    """Open all connections to a SQLite file, so that the number of open files never grows later."""
    with contextlib.ExitStack() as stack:
        for _ in range(_POOL_SIZE if engine.dialect.name == "sqlite" else 0):
            stack.enter_context(engine.connect())


def _write_json(value: Any) -> str:
    """Serialize in steps, since arguments may be large: other threads can run in between."""
    return json_encoding.dumps_in_steps(value).decode()


def read_json(text: str) -> Any:
    """Parse JSON of the database."""
    try:
        return json_encoding.loads(text)
    except ValueError:
        return json.loads(text)  # older versions could write NaN


def _redact_password(url: str) -> str:
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return f"***@{url.rpartition('@')[2]}" if "@" in url else url
