"""The table of options, from `deepaas.config.settings`."""

import itertools

from deepaas.config.settings import Option, list_options
from rows import code, table


def markdown() -> str:
    """Return a table for each group of options: how an option is set, its help, its values, its default."""
    header = ("flag, variable, key in a file", "description", "values", "default")
    groups = itertools.groupby(list_options(), key=lambda row: row.group)
    return "\n".join(f"## {group}\n\n{table(header, map(_row, rows))}" for group, rows in groups)


def _row(row: Option) -> tuple[str, ...]:
    default = str(row.default).lower() if row.type is bool else str(row.default)
    spelled = [*_flags(row), *row.env_vars, row.cli_name]
    secret = "" if row.has_flag else " There is no flag: other users of the machine could read it."
    return (" ".join(map(code, spelled)), f"{row.help}{secret}", row.expected_text, code(default))


def _flags(row: Option) -> list[str]:
    if not row.has_flag:
        return []
    more = f"--no{row.cli_name}" if row.type is bool else row.short
    return [f"--{row.cli_name}", *([more] if more else [])]
