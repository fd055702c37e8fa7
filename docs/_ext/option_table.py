"""The table of options, from `deepaas.settings`."""

from deepaas.settings import Option, options
from rows import code, table


def markdown() -> str:
    """Return a row for each option: how it is set, what it does, what may be said, what it is otherwise."""
    return table(("flag, variable, key in a file", "what it does", "values", "default"), map(_row, options()))


def _row(row: Option) -> tuple[str, ...]:
    default = str(row.default).lower() if row.type is bool else str(row.default)
    spelled = [*_flags(row), *row.variables, row.key]
    secret = "" if row.flag else " It is no flag: others on the machine can read those."
    return (" ".join(map(code, spelled)), f"{row.help}{secret}", row.expected, code(default))


def _flags(row: Option) -> list[str]:
    if not row.flag:
        return []
    more = f"--no{row.key}" if row.type is bool else row.short
    return [f"--{row.key}", *([more] if more else [])]
