"""The table of options, from `deepaas.config.settings`."""

from deepaas.config.settings import Option, list_options
from rows import code, table


def markdown() -> str:
    """Return a row for each option: how it is set, what it does, what may be said, what it is otherwise."""
    return table(
        ("flag, variable, key in a file", "what it does", "values", "default"), map(_row, list_options())
    )


def _row(row: Option) -> tuple[str, ...]:
    default = str(row.default).lower() if row.type is bool else str(row.default)
    spelled = [*_flags(row), *row.env_vars, row.cli_name]
    secret = "" if row.has_flag else " It is no flag: others on the machine can read those."
    return (" ".join(map(code, spelled)), f"{row.help}{secret}", row.expected_text, code(default))


def _flags(row: Option) -> list[str]:
    if not row.has_flag:
        return []
    more = f"--no{row.cli_name}" if row.type is bool else row.short
    return [f"--{row.cli_name}", *([more] if more else [])]
