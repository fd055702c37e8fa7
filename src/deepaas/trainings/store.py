"""Database of training records: SQLite, or any database that SQLAlchemy supports.

The server and the training processes write to it. Methods block, and raise `StoreUnavailable` while the
database is unreachable, locked or full.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from deepaas.errors import StoreUnavailable
from deepaas.model import json_encoding
from deepaas.trainings.database import (
    ENVIRONMENTS,
    TRAININGS,
    UNAVAILABLE_ERRORS,
    open_database,
    read_json,
)
from deepaas.trainings.record import TrainingRecord, TrainingState

DEFAULT_LEASE_S = 120.0
_FINAL_STATES = [state.value for state in TrainingState if state.is_final]
_LARGE_COLUMNS = ("arguments", "output")
"""Input and result of a training: responses contain their JSON text without parsing it."""
_RECORD_COLUMNS = [column for column in TRAININGS.columns if column.name != "lease_until"]
_ALL_COLUMNS = [
    sa.cast(column, sa.Text).label(column.name) if column.name in _LARGE_COLUMNS else column
    for column in _RECORD_COLUMNS
]
_NOW_S = sa.extract("epoch", sa.func.now())
"""The database's clock, in seconds since the epoch."""
_IS_EXPIRED = sa.func.coalesce(TRAININGS.c.lease_until, 0) < _NOW_S


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
        self._engine = open_database(self.url)
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
                TRAININGS.insert().values(_to_row(training) | {"lease_until": _NOW_S + self.lease_s})
            )

    def get(self, uuid: str) -> TrainingRecord | None:
        """Return a record, or None."""
        return next(iter(self._select(TRAININGS.c.uuid == uuid)), None)

    def list_uuids(self) -> set[str]:
        """Return the ids of all trainings."""
        with self._begin() as connection:
            return set(connection.scalars(sa.select(TRAININGS.c.uuid)))

    def list_for_model(self, model: str, limit: int | None = None) -> list[TrainingRecord]:
        """Return the records of a model, or its `limit` newest ones, oldest first."""
        return self._select(TRAININGS.c.model == model, limit=limit)

    def list_unfinished(self) -> list[TrainingRecord]:
        """Return the records of unfinished trainings, oldest first, without arguments and output."""
        small = [column for column in _RECORD_COLUMNS if column.name not in _LARGE_COLUMNS]
        return self._select(TRAININGS.c.state.not_in(_FINAL_STATES), small)

    def count_by_state(self, model: str) -> dict[TrainingState, int]:
        """Return the number of a model's trainings in each state."""
        query = sa.select(TRAININGS.c.state, sa.func.count()).where(TRAININGS.c.model == model)
        with self._begin() as connection:
            found = {
                TrainingState(state): count
                for state, count in connection.execute(query.group_by(TRAININGS.c.state))
            }
        return {state: found.get(state, 0) for state in TrainingState}

    def transition(
        self, uuid: str, state: TrainingState, *, only_from: TrainingState | None = None, **values: Any
    ) -> bool:
        """Set the state and other values of a training; return whether the record was changed.

        A finished training never changes; with `only_from`, nor does one in another state.
        """
        allowed = [TRAININGS.c.state == only_from.value] if only_from else []
        return self._change(uuid, {"state": state.value, **values}, *allowed)

    def expire(self, uuid: str, message: str) -> bool:
        """Mark a training lost, or cancelled if that was requested, unless its lease is valid.

        Return whether the record was changed.
        """
        is_cancelling = TRAININGS.c.state == TrainingState.CANCELLING.value
        end = sa.case((is_cancelling, TrainingState.CANCELLED.value), else_=TrainingState.LOST.value)
        values = {"state": end, "message": sa.case((~is_cancelling, message)), "finished": _NOW_S}
        return self._change(uuid, values, _IS_EXPIRED)

    def list_models(self) -> list[str]:
        """Return the names of all models that have trainings."""
        with self._begin() as connection:
            return list(connection.scalars(sa.select(TRAININGS.c.model).distinct()))

    def claim_ownership(self, uuid: str, server: str, new_server: str) -> bool:
        """Change a training's owner to `new_server`, with a new lease; return False if another was faster."""
        values = {"server": new_server, "lease_until": _NOW_S + self.lease_s}
        return self._change(uuid, values, TRAININGS.c.server == server)

    def update(self, uuid: str, **values: Any) -> None:
        """Set `values` of a training, unless it has finished."""
        self._change(uuid, values)

    def remove(self, uuid: str) -> None:
        """Delete a record."""
        with self._begin() as connection:
            connection.execute(TRAININGS.delete().where(TRAININGS.c.uuid == uuid))

    def renew_leases(self, uuids: Iterable[str]) -> None:
        """Let the leases of trainings end `lease_s` seconds from now, by the database's clock."""
        statement = sa.update(TRAININGS).where(TRAININGS.c.uuid.in_(list(uuids)))
        with self._begin() as connection:
            connection.execute(statement.values(lease_until=_NOW_S + self.lease_s))

    def list_expired(self) -> tuple[float, set[str]]:
        """Return the database's time (seconds), and the ids of unfinished trainings with an expired lease."""
        query = sa.select(TRAININGS.c.uuid).where(TRAININGS.c.state.not_in(_FINAL_STATES), _IS_EXPIRED)
        with self._begin() as connection:
            return float(connection.execute(sa.select(_NOW_S)).scalar_one()), set(connection.scalars(query))

    def save_environment(self, key: str, content: Mapping[str, Any]) -> None:
        """Store a set of packages, unless its key exists."""
        with contextlib.suppress(IntegrityError), self._begin() as connection:
            known = sa.select(ENVIRONMENTS.c.key).where(ENVIRONMENTS.c.key == key)
            if connection.scalar(known) is None:
                connection.execute(ENVIRONMENTS.insert().values(key=key, content=dict(content)))

    def get_environment(self, key: str) -> dict[str, Any]:
        """Return a set of packages; empty if the key is unknown."""
        with self._begin() as connection:
            found = connection.scalar(sa.select(ENVIRONMENTS.c.content).where(ENVIRONMENTS.c.key == key))
        return dict(found or {})

    def _change(self, uuid: str, values: Mapping[str, Any], *conditions: sa.ColumnElement[bool]) -> bool:
        """Set values of a training; return whether it was changed. All state transitions use this UPDATE."""
        is_unfinished = TRAININGS.c.state.not_in(_FINAL_STATES)
        statement = sa.update(TRAININGS).where(TRAININGS.c.uuid == uuid, is_unfinished, *conditions)
        with self._begin() as connection:
            result = connection.execute(statement.values(**_strip_invalid_text(values)))
            return bool(result.rowcount == 1)

    def _select(
        self,
        condition: sa.ColumnElement[bool],
        columns: Iterable[sa.ColumnElement[Any]] = _ALL_COLUMNS,
        limit: int | None = None,
    ) -> list[TrainingRecord]:
        newest_first = TRAININGS.c.created.desc(), TRAININGS.c.uuid.desc()
        query = sa.select(*columns).where(condition).order_by(*newest_first).limit(limit)
        with self._begin() as connection:
            found = connection.execute(query)
            names = tuple(found.keys())  # a fifth of the time of `row._asdict()` for each row
            return [_from_row(dict(zip(names, row, strict=True))) for row in found][::-1]

    @contextlib.contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        """Begin a transaction. Raise `StoreUnavailable`; clients read its message, so it names no host."""
        assert self._engine is not None, "the store is not open"
        try:
            with self._engine.begin() as connection:
                yield connection
        except UNAVAILABLE_ERRORS as error:
            raise StoreUnavailable("Training records are temporarily unavailable.") from error


def sqlite_url(folder: Path) -> str:
    """Return the URL of the SQLite database in a folder."""
    return f"sqlite:///{folder / 'trainings.sqlite'}"


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
    return read_json(text) if may_be_invalid else json_encoding.RawJson(text)


def _from_row(row: dict[str, Any]) -> TrainingRecord:
    for name in _LARGE_COLUMNS:
        row[name] = _to_unread_json(row.get(name))
    row["state"] = TrainingState(row["state"])
    return TrainingRecord(**row)
