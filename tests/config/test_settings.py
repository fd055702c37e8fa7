"""The table of options."""

import dataclasses
from typing import Any

import pytest

from deepaas.config.settings import Option, Settings, list_options, parse_value

TABLE = {row.name: row for row in list_options()}


def test_table_is_complete() -> None:
    """Every field of Settings is an option, in the same order."""
    assert [row.name for row in list_options()] == [field.name for field in dataclasses.fields(Settings)]


@pytest.mark.parametrize("row", list_options(), ids=lambda row: row.name)
def test_option_has_help(row: Option) -> None:
    """Every option has a short description."""
    assert row.help.endswith(".")
    assert len(row.help.split()) > 1
    assert len(row.help) <= 80


@pytest.mark.parametrize("row", list_options(), ids=lambda row: row.name)
def test_default_is_valid(row: Option) -> None:
    assert parse_value(row, row.default) == row.default


@pytest.mark.parametrize("field", dataclasses.fields(Settings), ids=lambda field: field.name)
def test_annotation_is_the_defaults_type(field: Any) -> None:
    assert field.type is TABLE[field.name].type


@pytest.mark.parametrize("of", ["short", "cli_name", "env_vars"])
def test_spellings_are_unique(of: str) -> None:
    """No flag or variable sets two options."""
    spellings = [getattr(row, of) for row in list_options() if getattr(row, of)]
    flat = [one for each in spellings for one in (each if isinstance(each, tuple) else (each,))]
    assert len(flat) == len(set(flat))


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().workers = 2  # what is tested


@pytest.mark.parametrize(
    ("text", "hosts"),
    [(" Models.example. ,[::1],", "models.example,::1"), ("*", "*"), ("", "")],
)
def test_hosts(text: str, hosts: str) -> None:
    """Host names are normalised for the comparison with requests."""
    assert parse_value(TABLE["allowed_hosts"], text) == hosts


@pytest.mark.parametrize("text", ["https://models.example", "models.example:443", "a b"])
def test_no_hosts(text: str) -> None:
    """An invalid host name is refused, with an example of a valid one."""
    with pytest.raises(ValueError, match=r"without ports, such as models\.example\.org"):
        parse_value(TABLE["allowed_hosts"], text)


@pytest.mark.parametrize(
    ("minimum", "value", "right"), [(0.5, "0.25", "a number from 0.5"), (None, "x", "a number")]
)
def test_fractions(minimum: float | None, value: object, right: str) -> None:
    """Options with a fractional default accept fractions."""
    row = dataclasses.replace(TABLE["max_queue"], default=1.5, minimum=minimum)
    assert parse_value(row, "2.5") == 2.5
    with pytest.raises(ValueError, match=right):
        parse_value(row, value)
